"""Which networks there are, and who has which of their addresses."""

import time
from collections.abc import Collection, Mapping
from ipaddress import ip_network

import msgspec

from agent.engine.errors import Conflict, Denied, Invalid, NotFound, System
from agent.engine.kernel.netlink import Links
from agent.engine.kernel.networkers import Home, NetWorkers
from agent.engine.networks import bridge, ipam
from agent.engine.networks.endpoint import Assigned, Endpoint, Json, new_id
from agent.engine.networks.ipam import Address, Plan
from agent.engine.state.lookup import only_prefix
from agent.engine.state.records import NetworkRecord
from agent.engine.state.repository import Networks

PREDEFINED = {"bridge": "bridge", "host": "host", "none": "null"}
SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


def plans_of(record: NetworkRecord) -> tuple[Plan, ...]:
    """The subnets in force of a network."""
    return tuple(ipam.plan(subnet) for subnet in record.subnets)


class Catalogue:
    """Records of networks, their address plans and the addresses in use."""

    def __init__(self, networks: Networks, workers: NetWorkers, pools: tuple[str, ...]) -> None:
        self._networks = networks
        self._workers = workers
        self._pools = pools
        self._plans: dict[str, tuple[Plan, ...]] = {record.id: plans_of(record) for record in networks}
        self._taken: dict[str, set[Address]] = {}
        self._reserved_names: set[str] = set()

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

    async def ensure_predefined(self, link: str, binding: str) -> None:
        """Make the records of bridge, host and none where they are missing."""
        for name, driver in PREDEFINED.items():
            if self._networks.by_name(name) is not None:
                continue
            options = bridge.default_options(link, binding) if name == "bridge" else {}
            record = NetworkRecord(
                id=new_id(), name=name, created_ns=time.time_ns(), driver=driver, options=options, predefined=True
            )
            if name == "bridge":
                plan = ipam.plan({"Subnet": str(await self._free_subnet(link))})
                # The gateway is shown too: dockerd hides it only until its device is up.
                shown = {"Subnet": str(plan.subnet), "Gateway": str(plan.gateway)}
                record = _with_plans(record, (plan,), {"Driver": "default", "Options": None, "Config": [shown]}, link)
            else:
                record = _with_plans(record, (), {"Driver": "default", "Options": None, "Config": []}, "")
            await self._save(record)

    async def create(self, request: Mapping[str, object]) -> NetworkRecord:
        """Check a request, choose its subnets, store it.

        Raises:
            Conflict: the name is taken.
            Denied: predefined name, or its subnet overlaps another network's.
            Invalid, System: see ``ipam.plan`` and ``bridge.read_options``.
        """
        name = str(request.get("Name") or "")
        driver = str(request.get("Driver") or "bridge")
        _check_name(name, self._networks, self._reserved_names)
        _check_driver(driver, request)
        # Reserved before the first await, so that of two requests at once one is refused.
        self._reserved_names.add(name)
        try:
            return await self._create(name, request)
        finally:
            self._reserved_names.discard(name)

    async def _create(self, name: str, request: Mapping[str, object]) -> NetworkRecord:
        network_id = new_id()
        options = _strings(request.get("Options"))
        given = request.get("IPAM")
        settings: Json = dict(given) if isinstance(given, dict) else {}
        configs = [one for one in settings.get("Config") or [] if any(one.values())]
        if settings.get("Driver") not in (None, "", "default"):
            raise NotFound(f'plugin "{settings["Driver"]}" not found')
        enable_ipv6 = bool(request.get("EnableIPv6"))
        read = bridge.read_options(network_id, options)
        if any(record.bridge == read.link for record in self._networks):
            raise Denied(f"bridge name {read.link} is in use by another network")
        plans = [ipam.plan(config) for config in configs]
        for index, plan in enumerate(plans):
            ipam.check_overlap(plan.subnet, [*self._subnets(), *(other.subnet for other in plans[:index])])
        shown = [_as_given(config) for config in configs]
        defaults: set[ipam.Subnet] = set()
        for version, needed, pools in ((4, True, self._pools), (6, enable_ipv6, (ipam.IPV6_POOL,))):
            if needed and not any(plan.version == version for plan in plans):
                config = {"Subnet": str(await self._free_subnet(read.link, pools))}
                plans.append(ipam.plan(config))
                shown.append({"Subnet": config["Subnet"], "Gateway": str(plans[-1].gateway)})
                defaults.add(plans[-1].subnet)
        record = NetworkRecord(
            id=network_id,
            name=name,
            created_ns=time.time_ns(),
            driver="bridge",
            enable_ipv6=enable_ipv6,
            internal=bool(request.get("Internal")),
            attachable=bool(request.get("Attachable")),
            ingress=bool(request.get("Ingress")),
            options=options,
            labels=_strings(request.get("Labels")),
        )
        kept = {"Driver": "default", "Options": settings.get("Options"), "Config": shown}
        return await self._save(_with_plans(record, tuple(plans), kept, read.link, defaults))

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
                address = ipam.free_address(mine[0], taken, f"{record.name} ({record.id})")
                found.append(Assigned(address, mine[0]))
        taken |= {one.address for one in found}
        return tuple(found)

    def mark(self, endpoint: Endpoint) -> None:
        """These addresses are in use, as a running container's record says."""
        self._taken.setdefault(endpoint.network_id, set()).update(one.address for one in endpoint.addresses)

    def give_back(self, endpoint: Endpoint) -> None:
        """Addresses of an endpoint that is no more."""
        self._taken.get(endpoint.network_id, set()).difference_update(one.address for one in endpoint.addresses)

    def _subnets(self) -> list[ipam.Subnet]:
        return [plan.subnet for plans in self._plans.values() for plan in plans]

    async def _free_subnet(self, link: str, pools: tuple[str, ...] = ()) -> ipam.Subnet:
        def routed(_: Home) -> list[str]:
            with Links() as links:
                return links.networks(without=link)

        others = [ip_network(text) for text in await self._workers.run(routed)]
        return ipam.free_subnet(pools or self._pools, [*self._subnets(), *others])

    async def _save(self, record: NetworkRecord) -> NetworkRecord:
        self._plans[record.id] = plans_of(record)
        return await self._networks.save(record)


def _with_plans(
    record: NetworkRecord, plans: tuple[Plan, ...], shown: Json, link: str, defaults: Collection[ipam.Subnet] = ()
) -> NetworkRecord:
    """``Default`` marks a subnet that we chose: in it a client may not ask for an address of its own."""
    subnets = tuple(plan.as_json() | ({"Default": True} if plan.subnet in defaults else {}) for plan in plans)
    return msgspec.structs.replace(record, ipam=shown, subnets=subnets, bridge=link)


def _as_given(config: Mapping[str, object]) -> Json:
    return {key: value for key, value in config.items() if value}


def _strings(given: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}


def _check_name(name: str, networks: Networks, reserved: set[str]) -> None:
    if not name.strip():
        raise System(f"invalid name: {name}")
    if name in PREDEFINED or name == "default":
        raise Denied(f"operation is not permitted on predefined {name} network ")
    if name in reserved or networks.by_name(name) is not None:
        raise Conflict(f"network with name {name} already exists")


def _check_driver(driver: str, request: Mapping[str, object]) -> None:
    if driver in ("host", "null"):
        raise Denied(f'only one instance of "{driver}" network is allowed')
    if driver == "overlay" or request.get("Ingress"):
        raise System(SWARM)
    if driver != "bridge":
        raise NotFound(f'plugin "{driver}" not found')
    if request.get("ConfigOnly") or (request.get("ConfigFrom") or {}):
        raise Invalid("ConfigOnly and ConfigFrom are not supported: give the configuration with the network itself")
