"""Where everything lies on disk.

ROOT/                               0700: nobody but root reads layers, logs or volumes
├── lock                            flock: one engine a root
├── engine.db                       records and journal (SQLite, WAL)
├── storage-driver                  what its layers are made by             (storage/drivers/choice.py)
├── engine-id                       what ``docker info`` calls this engine
├── seccomp/<hash>                  filters as the runtime compiled them    (containers/seccomp.py)
├── reserve                         spare blocks given back on a full disk, so that stop and rm still work
├── content/                        blobs as pulled, by digest              (storage/content.py)
├── layers/                         unpacked layers, by chain               (storage/layers.py)
├── snapshots/                      one writable layer a container          (storage/snapshots.py)
├── volumes/<name>/_data            named volumes                           (volumes/local.py)
├── networks/                       state of the networks                   (networks/)
├── containers/<id>/
│   ├── <id>-json.log[.1…][.gz]     the log, CRI format under Docker's file name (containers/logfiles.py)
│   ├── forward.json, forwarded     what goes to syslog or journald, and how far it has come (containers/logdrivers/)
│   ├── exit/<id>                   exit code, written by conmon
│   └── hosts, hostname, resolv.conf
├── certs.d/<host:port>/*.crt       CAs of private registries, as in Docker's certs.d
├── tmp/                            half-made things; emptied at start
└── trash/                          on its way out, deleted in the background     (storage/trash.py)

RUN = /run/longshore/<key>/         gone after a reboot, as are the processes it describes
├── crun                            the runtime in sealed memory            (kernel/programs.py)
├── runtime/<id>/                   the OCI runtime's own state (crun's exec.fifo)
├── containers/<id>/                bundle: config.json, attach, ctl, winsz, oom, pidfile, processes
├── execs/<exec id>/                the same for a detached exec, with its own exit/
├── programs/<path>                 the runtime, in sealed memory           (kernel/programs.py)
├── events                          the last events, for ``since`` after a restart     (events.py)
├── parts/<id>/                     parts of volumes, while a start needs them  (containers/sources.py)
├── netns/<id>                      network namespaces, bound
├── userns/<id>                     user namespaces, bound while a container begins
├── standin, standin.pid            who answers names and relays ports while the engine is away (networks/standin)
├── mapped/root                     the data root as user namespaces see it; for the engine alone
├── roots/<id>                      file systems of containers with a user namespace
└── shm/<id>                        memory that a container shares (tmpfs)
"""

from dataclasses import dataclass
from pathlib import Path

from agent.engine.config import EngineConfig

RUN = Path("/run/longshore")


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of one engine; makes none of them."""

    root: Path
    run: Path

    @classmethod
    def of(cls, config: EngineConfig) -> "Paths":
        """The layout of this configuration."""
        return cls(root=config.root.resolve(), run=RUN / config.key)

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def database(self) -> Path:
        return self.root / "engine.db"

    @property
    def content(self) -> Path:
        return self.root / "content"

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def networks(self) -> Path:
        return self.root / "networks"

    @property
    def containers(self) -> Path:
        return self.root / "containers"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def runtime(self) -> Path:
        return self.run / "runtime"

    @property
    def bundles(self) -> Path:
        return self.run / "containers"

    @property
    def execs(self) -> Path:
        return self.run / "execs"

    @property
    def parts(self) -> Path:
        return self.run / "parts"

    @property
    def namespaces(self) -> Path:
        return self.run / "netns"

    @property
    def mapped(self) -> Path:
        """The data root with the ids of user namespaces (``--userns-remap``).

        All of it is theirs there, so its parent is ours: whoever got out of a container must not reach it.
        """
        return self.run / "mapped" / "root"

    @property
    def roots(self) -> Path:
        return self.run / "roots"

    @property
    def user_namespaces(self) -> Path:
        return self.run / "userns"

    def user_namespace(self, container_id: str) -> Path:
        """Where the user namespace of a container that begins is bound."""
        return self.user_namespaces / container_id

    @property
    def memories(self) -> Path:
        return self.run / "shm"

    def shared_memory(self, container_id: str) -> Path:
        """What a shareable container has as ``/dev/shm``."""
        return self.memories / container_id

    @property
    def events(self) -> Path:
        return self.run / "events"

    def container(self, container_id: str) -> Path:
        """What outlives a container's run: its log, its exit code, its host files."""
        return self.containers / container_id

    def log(self, container_id: str) -> Path:
        """The container's current log file."""
        return self.containers / container_id / f"{container_id}-json.log"

    def exits(self, container_id: str) -> Path:
        """Directory where conmon leaves the exit code, in a file of the container's id."""
        return self.containers / container_id / "exit"

    def bundle(self, container_id: str) -> Path:
        """The OCI bundle and conmon's sockets of the current run."""
        return self.bundles / container_id

    def namespace(self, container_id: str) -> Path:
        """Where the container's network namespace is bound."""
        return self.namespaces / container_id

    def all(self) -> tuple[Path, ...]:
        """Every directory that the engine makes at start."""
        return (
            self.root, self.content, self.layers, self.snapshots, self.volumes, self.networks, self.containers,
            self.tmp, self.run, self.runtime, self.bundles, self.execs, self.namespaces, self.memories,
            self.user_namespaces, self.mapped.parent, self.mapped, self.roots,
        )  # fmt: skip
