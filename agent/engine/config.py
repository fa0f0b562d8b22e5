"""What an installation may choose, with the reason beside each default. Read once at start and never changed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# sockaddr_un.sun_path holds 108 bytes with its closing NUL.
MAX_SOCKET_PATH = 107
JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
PLUGIN_DIRECTORIES = tuple(Path(one, "docker/plugins") for one in ("/run", "/etc", "/usr/lib"))


@dataclass(frozen=True, slots=True)
class TcpDoor:
    """Where the API is served on TCP, and whom it trusts there: the three files are PEM."""

    host: str
    port: int
    authority: Path
    """Of the clients' certificates."""
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class DefaultNetwork:
    """The network of containers that name none. Takes effect where no container of it runs."""

    address: str = ""
    """Of the bridge, as ``172.17.0.1/16``; empty: chosen from the pools once, and kept."""
    range: str = ""
    """Where containers' IPv4 addresses are taken from; empty: all of the subnet."""
    subnet6: str = ""
    """IPv6 subnet; empty: no IPv6."""
    mtu: int = 1500
    icc: bool = True
    """Containers may talk to each other there, as with Docker."""
    masquerade: bool = True


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of one engine."""

    root: Path
    """State, images, layers and logs."""
    socket: Path
    """Where the Docker Engine API is served, 0660."""
    tcp: TcpDoor | None = None
    """TCP besides, in the engine's own namespace; none unless asked for, since whoever gets in is root on this host."""
    netns: Path | None = None
    """Namespace that holds every link, address, rule and published port of the engine; its own connections stay
    outside.
    """
    cgroup_parent: str = ""
    """Parent of every container's cgroup; empty: ``/longshore-<hash of root>``, so that two engines never share one."""
    socket_group: str = ""
    """Group that may use the socket; empty: root's, since whoever reaches the socket is root on this host."""
    runtime: str = ""
    """``crun``, ``runc`` or one of ``runtimes``; empty: crun where it can run here (four times faster), else runc."""
    runtimes: tuple[tuple[str, str], ...] = ()
    """Further OCI runtimes that a container may name: name and program."""
    storage_driver: str = ""
    """``overlay2``, ``fuse-overlayfs`` or ``vfs``, for a new root; empty: the first of them that works there. A
    root keeps the one that it was made by.
    """
    userns_remap: str = ""
    """``default`` or ``USER[:GROUP]``: root of a container is this user's first number in /etc/subuid. Empty: the
    host's root, Docker's default; owners of files in a bind mount are then the same on both sides.
    """
    default_capabilities: str = "podman"
    """``podman``: 11 capabilities, enough for all but ping as root; ``docker``: its 14."""
    seccomp_profile: Path = Path("/usr/share/containers/seccomp.json")
    """Base of the default filter; ``containers/oci/seccomp.py`` tightens it."""
    pids_limit: int = 2048
    """Processes of a container that names no limit: a fork bomb stays inside."""
    shm_size: int = 64 << 20
    """Docker's default."""
    stop_timeout: int = 10
    """Seconds between the stop signal and SIGKILL, where container and caller name none. Docker's default."""
    bridge: str = "longshore0"
    """Name of the default network's bridge. Not docker0: dockerd may live in the same namespace."""
    default_network: DefaultNetwork = DefaultNetwork()
    """Docker's defaults."""
    address_pools: tuple[str, ...] = (
        *(f"172.{second}.0.0/16:16" for second in (17, 18, 19)),
        *(f"172.{second}.0.0/14:16" for second in (20, 24, 28)),
        "192.168.0.0/16:20",
    )
    """Where subnets of networks without one of their own are taken from, as ``BASE:SIZE``. Docker's defaults."""
    default_publish_address: str = "0.0.0.0"  # noqa: S104 (docker's default; the dashboard says what it means)
    """Address of published ports that name none."""
    insecure_registries: tuple[str, ...] = ()
    """Registries reached without TLS, as ``host:port`` or CIDR; loopback always is."""
    layer_bytes: int = 20 << 30
    """Unpacked size of a layer or archive at most: whatever it is packed with, unpacking stops there."""
    layer_entries: int = 1_000_000
    """Files of a layer or archive at most."""
    disk_floor: int = 5
    """Percent of the data root's disk that unpacking leaves free: a full disk harms every container."""
    plugin_directories: tuple[Path, ...] = PLUGIN_DIRECTORIES
    """Where volume plugins' sockets, and files that name their addresses, are looked for. Docker's directories."""
    log_driver: str = "json-file"
    """Of containers that name none. Docker's default: it keeps every line, so give it ``max-size`` on a small disk."""
    log_options: Mapping[str, str] = field(default_factory=dict)
    """Options of that driver."""
    journal_socket: Path = JOURNAL_SOCKET
    """Where systemd-journald listens."""
    labels: tuple[str, ...] = ()
    """``key=value`` shown by ``docker info``."""
    debug: bool = False
    """Log at debug level."""

    @property
    def key(self) -> str:
        """Short name of this engine, the same for the same root: part of cgroup, table and run directory names."""
        return hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:12]

    @property
    def cgroup(self) -> str:
        """The cgroup parent in force, absolute within the hierarchy."""
        return "/" + (self.cgroup_parent or f"longshore-{self.key}").strip("/")
