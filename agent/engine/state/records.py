"""What the engine knows about each object. Frozen: a change makes a new record, so a reader never sees half of one.

The dicts inside are Docker's JSON as the client gave it, defaults filled in; treat them as frozen too. Images keep
their own records (``images/``).
"""

import enum
from typing import Any

import msgspec

Json = dict[str, Any]


class Status(enum.StrEnum):
    """Docker's word for where a container is in its life.

    created → running ⇄ paused; running → exited | restarting; restarting → running | exited;
    exited → running; created | exited | dead → removing → gone, or dead when the removal failed.
    """

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class HealthResult(msgspec.Struct, frozen=True):
    """One run of the health check."""

    start_ns: int
    end_ns: int
    exit_code: int
    output: str


class Health(msgspec.Struct, frozen=True):
    """``State.Health``: status is ``starting``, ``healthy`` or ``unhealthy``; log holds the last five."""

    status: str
    failing_streak: int = 0
    log: tuple[HealthResult, ...] = ()


class State(msgspec.Struct, frozen=True):
    """The run that is, or the last one that was."""

    status: Status = Status.CREATED
    pid: int = 0
    pid_ticks: int = 0
    """Start time of the pid in clock ticks (``/proc/PID/stat`` field 22): a pid alone may be somebody else's."""
    conmon_pid: int = 0
    conmon_ticks: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    health: Health | None = None

    @property
    def running(self) -> bool:
        """Docker's ``Running``: also true while paused and between restarts."""
        return self.status in {Status.RUNNING, Status.PAUSED, Status.RESTARTING}

    @property
    def alive(self) -> bool:
        """A process exists."""
        return self.status in {Status.RUNNING, Status.PAUSED}


class MountPoint(msgspec.Struct, frozen=True):
    """One entry of ``Mounts`` in inspect, and what the spec is made from."""

    type: str
    """``bind``, ``volume``, ``tmpfs`` or ``image``."""
    source: str
    """Host path; empty for a volume until its start, and for tmpfs."""
    destination: str
    name: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = True
    propagation: str = ""
    copy_up: bool = False
    """Fill a fresh volume with what the image has there."""
    anonymous: bool = False
    """Made for this container; removed with it by ``rm -v`` and AutoRemove."""
    options: tuple[str, ...] = ()
    """Options of a tmpfs (``size=…``, ``mode=…``), of a bind how deep it goes."""
    subpath: str = ""
    """What of a volume or image is mounted; empty: all."""


class NetworkState(msgspec.Struct, frozen=True):
    """What the sandbox of the current run looks like; ``networks`` fills and reads it."""

    sandbox_id: str = ""
    sandbox_key: str = ""
    """Path of the namespace, or the engine's own with host mode."""
    endpoints: dict[str, Json] = {}
    """Network name → EndpointSettings as in inspect."""
    ports: dict[str, list[dict[str, str]] | None] = {}
    """``80/tcp`` → bindings."""
    ifnames: dict[str, str] = {}
    """Network name → the link's name inside."""
    hosts_path: str = ""
    resolv_path: str = ""
    hostname_path: str = ""


class Link(msgspec.Struct, frozen=True):
    """A legacy ``--link``: another container by a name of our own, on the default network."""

    target: str
    """The other container's id."""
    name: str
    """Its name when the link was made: said of it once it is gone."""
    alias: str


class ContainerRecord(msgspec.Struct, frozen=True):
    """All that inspect, start and recovery need."""

    id: str
    name: str
    """Without the leading slash."""
    created_ns: int
    path: str
    args: tuple[str, ...]
    config: Json
    """Docker's ``Config``: image defaults merged in."""
    host_config: Json
    """Docker's ``HostConfig``, defaults filled in."""
    image_id: str
    """``sha256:…``; may since have been untagged."""
    image_ref: str
    """As the client wrote it: ``Config.Image``."""
    chain_id: str = ""
    """Top layer of the image, for the snapshot."""
    endpoints_config: dict[str, Json] = {}
    """``NetworkingConfig.EndpointsConfig`` as asked, kept up by connect and disconnect."""
    unplugged: bool = False
    """Disconnected from its last network: it starts with none, whatever its mode says."""
    state: State = State()
    restart_count: int = 0
    stopped_by_hand: bool = False
    """Stopped by a client: ``unless-stopped`` and ``always`` leave it alone."""
    mounts: tuple[MountPoint, ...] = ()
    network: NetworkState = NetworkState()
    log_path: str = ""
    driver: str = "overlay2"
    platform: str = "linux"
    managed: bool = False
    """Made by the builder: hidden from lists."""
    links: tuple[Link, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        return self.config.get("Labels") or {}

    @property
    def tty(self) -> bool:
        return bool(self.config.get("Tty"))

    @property
    def network_mode(self) -> str:
        return self.host_config.get("NetworkMode") or "default"

    @property
    def runtime(self) -> str:
        """Name of the OCI runtime; empty: the engine's default."""
        return self.host_config.get("Runtime") or ""

    @property
    def auto_remove(self) -> bool:
        return bool(self.host_config.get("AutoRemove"))

    def with_state(self, **changes: Any) -> "ContainerRecord":
        """The same container with these fields of its state changed."""
        return msgspec.structs.replace(self, state=msgspec.structs.replace(self.state, **changes))

    def event_attributes(self, **more: str) -> dict[str, str]:
        """What every event of this container carries, and ``more``."""
        return {**self.labels, "image": self.image_ref, "name": self.name, **more}


class VolumeRecord(msgspec.Struct, frozen=True):
    """A volume; ``name`` is its id."""

    name: str
    driver: str
    mountpoint: str
    created_ns: int
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    scope: str = "local"
    anonymous: bool = False
    copied_up: bool = False
    """Has been filled from an image, or found not empty."""
    holders: tuple[str, ...] = ()
    """Containers for which a plugin was asked to mount it, and has not confirmed that it is unmounted."""

    @property
    def id(self) -> str:
        return self.name


class NetworkRecord(msgspec.Struct, frozen=True):
    """A network as given by the client, and what we made of it."""

    id: str
    name: str
    created_ns: int
    driver: str
    scope: str = "local"
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam: Json = {}
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: Json = {}
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    predefined: bool = False
    bridge: str = ""
    """The link's name."""
    subnets: tuple[Json, ...] = ()
    """``{"Subnet", "Gateway", "IPRange", "AuxiliaryAddresses"}`` in force."""
