"""Which networks there are, and who has which of their addresses."""

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Mapping
from ipaddress import ip_network

import msgspec

from agent.engine.config import EngineConfig
from agent.engine.errors import Denied, Invalid, NotFound
from agent.engine.kernel.netlink import Links
from agent.engine.kernel.networkers import Home, NetWorkers
from agent.engine.networks import bridge, definition, ipam, options, parents
from agent.engine.networks.definition import PREDEFINED, Definition
from agent.engine.networks.endpoint import Assigned, Endpoint, Json, new_id
from agent.engine.networks.ipam import Address, Plan
from agent.engine.state.lookup import only_prefix
from agent.engine.state.records import NetworkRecord
from agent.engine.state.repository import Networks

log = logging.getLogger(__name__)


def plans_of(record: NetworkRecord) -> tuple[Plan, ...]:
    """The subnets in force of a network."""
    return tuple(ipam.plan(subnet) for subnet in record.subnets)


class Catalogue:
    """Records of networks, their address plans and the addresses in use."""

    def __init__(
        self, networks: Networks, workers: NetWorkers, pools: tuple[str, ...], pools6: tuple[str, ...]
    ) -> None:
        self._networks = networks
        self._workers = workers
        self._pools, self._pools6 = pools, pools6
        self._plans: dict[str, tuple[Plan, ...]] = {record.id: plans_of(record) for record in networks}
        self._taken: dict[str, set[Address]] = {}
        self._assigning = threading.Lock()
        self._reserved_names: set[str] = set()
        self._choosing = asyncio.Lock()
        """Held from the choice of a subnet until it is known to the next."""

    def all(self) -> list[NetworkRecord]:
        """Every network, oldest first."""
        return sorted(self._networks.all(), key=lambda one: one.created_ns)

    def plans(self, network_id: str) -> tuple[Plan, ...]:
        """Subnets in force."""
        return self._plans[network_id]

    def maybe(self, network_id: str) -> NetworkRecord | None:
        """The network of this full id, if there is one."""
        return self._networks.find(network_id)

    def find(self, ref: str) -> NetworkRecord:
        """By id, name, or the beginning of an id, in this order.

        Raises:
            NotFound: ``network REF not found``.
            Invalid: the beginning fits several.
        """
        record = self._networks.find(ref) or self._networks.by_name(ref)
        if record is None:
            full = only_prefix((one.id for one in self._networks), ref)
            record = self._networks.find(full) if full else None
        if record is None:
            raise NotFound(f"network {ref} not found")
        return record

    def name_of(self, ref: str) -> str:
        """The name of the network that is meant; of one that is not there, what was written."""
        try:
            return self.find(ref).name
        except (NotFound, Invalid):
            return ref

    async def ensure_predefined(self, config: EngineConfig, *, free: bool) -> NetworkRecord | None:
        """Make the records of bridge, host and none what the configuration says.

        Args:
            free: no container of the default network runs; else it stays as it is.

        Returns:
            The default network if its settings have changed: a link that is there is of the old ones.

        Raises:
            System, Denied, Invalid: its settings cannot be.
        """
        known = self._networks.by_name("bridge")
        wanted = await self._default_network(config, known)
        changed = known != wanted and (known is None or free)
        if changed:
            await self._save(wanted)
        elif known != wanted:
            log.warning("the default network stays as it is until the engine starts without containers on it")
        for name, driver in PREDEFINED.items():
            if self._networks.by_name(name) is None:
                record = NetworkRecord(
                    id=new_id(), name=name, created_ns=time.time_ns(), driver=driver, predefined=True
                )
                await self._save(_with_plans(record, (), {"Driver": "default", "Options": None, "Config": []}, ""))
        return wanted if changed and known is not None else None

    async def _default_network(self, config: EngineConfig, known: NetworkRecord | None) -> NetworkRecord:
        asked = config.default_network
        configs = ipam.default_configs(asked.address, asked.range, asked.subnet6)
        if not any(":" not in one["Subnet"] for one in configs):
            kept = [one for one in known.subnets if ":" not in one["Subnet"]] if known is not None else []
            chosen = kept or [{"Subnet": str(await self._free_subnet(config.bridge, self._pools))}]
            configs = [*chosen, *configs]
        plans = tuple(ipam.plan(one, "bridge") for one in configs)
        others = [plan.subnet for key, held in self._plans.items() if known is None or key != known.id for plan in held]
        for plan in plans:
            ipam.check_overlap(plan.subnet, others)
        # The gateway is shown too: dockerd hides it only until its device is up.
        shown = {"Driver": "default", "Options": None, "Config": [plan.as_json() for plan in plans]}
        record = known or NetworkRecord(
            id=new_id(), name="bridge", created_ns=time.time_ns(), driver="bridge", predefined=True
        )
        record = msgspec.structs.replace(
            record, options=bridge.default_options(config), enable_ipv6=bool(asked.subnet6)
        )
        bridge.read(record)
        return _with_plans(record, plans, shown, config.bridge)

    async def create(self, request: Mapping[str, object]) -> NetworkRecord:
        """Check a request, choose its subnets, store it.

        Raises:
            Conflict: the name is taken.
            Denied: predefined name, or its subnet overlaps another network's.
            Invalid, NotFound, System: see ``definition.read``, ``ipam.plan`` and ``options``.
        """
        name = str(request.get("Name") or "")
        definition.check_name(name, name in self._reserved_names or self._networks.by_name(name) is not None)
        wanted = definition.read(request)
        # Reserved before the first await, so that of two requests at once one is refused.
        self._reserved_names.add(name)
        try:
            async with self._choosing:
                return await self._create(wanted)
        finally:
            self._reserved_names.discard(name)

    async def _create(self, wanted: Definition) -> NetworkRecord:
        if wanted.config_from:
            source = self._networks.by_name(wanted.config_from)
            if source is None:
                raise NotFound(f'configuration network "{wanted.config_from}" does not exist')
            wanted = definition.inherited(wanted, source)
        record = NetworkRecord(
            id=new_id(),
            name=wanted.name,
            created_ns=time.time_ns(),
            driver=wanted.driver,
            enable_ipv4=wanted.enable_ipv4,
            enable_ipv6=wanted.enable_ipv6,
            internal=wanted.internal,
            attachable=wanted.attachable,
            config_only=wanted.config_only,
            config_from={"Network": wanted.config_from},
            options=wanted.options,
            labels=wanted.labels,
        )
        shown = [*wanted.subnets]
        if record.config_only:
            return await self._save(_with_plans(record, (), _ipam(wanted, shown), ""))
        link = self._link_of(record)
        plans: list[Plan] = []
        for plan in (ipam.plan(config, wanted.name) for config in wanted.subnets):
            if record.driver == "bridge" and any(plan.version == other.version for other in plans):
                raise Denied("bridge driver doesn't support multiple subnets")
            if plan.version == 4 or wanted.enable_ipv6:
                ipam.check_overlap(plan.subnet, [*self._subnets(), *(other.subnet for other in plans)])
                plans.append(plan)
        defaults: set[ipam.Subnet] = set()
        for version, needed in ((4, wanted.enable_ipv4), (6, wanted.enable_ipv6)):
            if needed and not any(plan.version == version for plan in plans):
                config = {"Subnet": str(await self._free_subnet(link, self._pools if version == 4 else self._pools6))}
                plans.append(ipam.plan(config))
                shown.append({"Subnet": config["Subnet"], "Gateway": str(plans[-1].gateway)})
                defaults.add(plans[-1].subnet)
        return await self._save(_with_plans(record, tuple(plans), _ipam(wanted, shown), link, defaults))

    def _link_of(self, record: NetworkRecord) -> str:
        """The bridge that it will have; none for a network on a parent.

        Raises:
            Invalid, Denied, System: its options are none, or another network has that link.
        """
        if record.driver in options.ON_PARENT:
            parents.check_rivals(record, self._networks)
            return ""
        if not (record.enable_ipv4 or record.enable_ipv6):
            raise Invalid("IPv4 or IPv6 must be enabled")
        link = bridge.read(record).link
        for other in self._networks:
            if other.bridge == link:
                raise Denied(
                    f"cannot create network {record.id} ({link}): conflicts with network {other.id} ({link}): "
                    "networks have same bridge name"
                )
        return link

    async def delete(self, network_id: str) -> None:
        """Forget a network."""
        self._plans.pop(network_id, None)
        self._taken.pop(network_id, None)
        await self._networks.delete(network_id)

    def assign(self, record: NetworkRecord, config: Json) -> tuple[Assigned, ...]:
        """Give addresses for one endpoint: those asked for, else the lowest free ones.

        Raises:
            Unavailable: the network is full.
            Denied, Invalid: the address asked for cannot be had.
        """
        with self._assigning:
            return self._assign(record, config)

    def _assign(self, record: NetworkRecord, config: Json) -> tuple[Assigned, ...]:
        plans = self._plans[record.id]
        taken = self._taken.setdefault(record.id, set())
        asked = config.get("IPAMConfig") or {}
        found: list[Assigned] = []
        for version, key in ((4, "IPv4Address"), (6, "IPv6Address")):
            mine = [plan for plan in plans if plan.version == version]
            if asked.get(key) and mine:
                plan, address = ipam.static_address(mine, asked[key], taken)
                found.append(Assigned(address, plan))
            elif mine:
                plan, address = ipam.free_address(mine, taken, f"{record.name} ({record.id})")
                found.append(Assigned(address, plan))
        taken |= {one.address for one in found}
        return tuple(found)

    def mark(self, endpoint: Endpoint) -> None:
        """These addresses are in use, as a running container's record says."""
        self._taken.setdefault(endpoint.network_id, set()).update(one.address for one in endpoint.addresses)

    def give_back(self, endpoint: Endpoint) -> None:
        """Addresses of an endpoint that is no more."""
        with self._assigning:
            self._taken.get(endpoint.network_id, set()).difference_update(one.address for one in endpoint.addresses)

    def _subnets(self) -> list[ipam.Subnet]:
        return [plan.subnet for plans in self._plans.values() for plan in plans]

    async def _free_subnet(self, link: str, pools: tuple[str, ...]) -> ipam.Subnet:
        def routed(_: Home) -> list[str]:
            with Links() as links:
                return links.networks(without=link)

        others = [ip_network(text) for text in await self._workers.run(routed)]
        return ipam.free_subnet(pools, [*self._subnets(), *others])

    async def _save(self, record: NetworkRecord) -> NetworkRecord:
        self._plans[record.id] = plans_of(record)
        return await self._networks.save(record)


def _with_plans(
    record: NetworkRecord, plans: tuple[Plan, ...], shown: Json, link: str, defaults: Collection[ipam.Subnet] = ()
) -> NetworkRecord:
    """``Default`` marks a subnet that we chose: in it a client may not ask for an address of its own."""
    subnets = tuple(plan.as_json() | ({"Default": True} if plan.subnet in defaults else {}) for plan in plans)
    return msgspec.structs.replace(record, ipam=shown, subnets=subnets, bridge=link)


def _ipam(wanted: Definition, shown: list[Json]) -> Json:
    ordered = sorted(shown, key=lambda config: ":" in config["Subnet"])
    return {"Driver": "default", "Options": wanted.ipam_options, "Config": ordered}
