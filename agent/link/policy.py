"""What the owner of this host forbids, whatever the control plane says.

    # policy.toml, owned by root, not writable by others
    read_only = false            # true: no order but host.refresh, no stream that changes anything
    privileged = true            # false: nothing past the default isolation
    exec = true                  # false: no exec, no input to a running container, no files put into one
    bind_paths = ["/srv"]        # host paths that may be bound; left out: any

No file forbids nothing. A file that cannot be read, or that others may write, forbids everything.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# security options that only narrow, or name a file of rules that the engine checks itself
_HARMLESS_OPTIONS: Final = ("no-new-privileges",)
# of a HostConfig: all that is looked at below
_WATCHED: Final = (
    "Privileged", "CapAdd", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "NetworkMode", "CgroupnsMode", "Devices",
    "DeviceRequests", "DeviceCgroupRules", "Sysctls", "SecurityOpt", "MaskedPaths", "ReadonlyPaths", "CgroupParent",
    "Annotations", "Runtime", "VolumesFrom", "Mounts", "Binds", "Cgroup", "OomKillDisable", "OomScoreAdj",
    "CpuRealtimePeriod", "CpuRealtimeRuntime", "LogConfig",
)  # fmt: skip
# log drivers that send nothing to an address of the request's choice
_LOG_DRIVERS: Final = frozenset({"", "json-file", "local", "none", "journald", "syslog"})
# options of a bridge network that leave its containers behind it
_WITHIN_BRIDGE: Final = frozenset({
    "com.docker.network.bridge.enable_icc", "com.docker.network.bridge.enable_ip_masquerade",
    "com.docker.network.bridge.host_binding_ipv4", "com.docker.network.container_iface_prefix",
    "com.docker.network.driver.mtu",
})  # fmt: skip
# the query of Docker's ImageBuild, as far as an order may set it
BUILD_QUERY: Final = frozenset({
    "dockerfile", "target", "buildargs", "nocache", "pull", "platform", "labels", "networkmode", "rm", "forcerm",
    "memory", "cpushares", "cpusetcpus", "shmsize", "extrahosts", "squash",
})  # fmt: skip


class Denied(Exception):
    """The host's own policy refuses. `rule` names the line of the file that does."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True)
class Rules:
    """The file's content."""

    read_only: bool = False
    privileged: bool = True
    exec: bool = True
    bind_paths: tuple[str, ...] | None = None
    broken: str = ""

    def describe(self) -> dict[str, Any]:
        """For the host's page: what is forbidden here."""
        return {
            "read_only": self.read_only,
            "privileged": self.privileged,
            "exec": self.exec,
            "bind_paths": None if self.bind_paths is None else list(self.bind_paths),
            "broken": self.broken,
        }


class Policy:
    """The host's policy, read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = (-1, -1, -1)
        self._rules = Rules()

    def rules(self) -> Rules:
        """The rules as the file has them now."""
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            stamp = None
        except OSError as error:
            return Rules(broken=str(error))
        else:
            stamp = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
        if stamp != self._stamp:
            self._stamp, self._rules = stamp, Rules() if stamp is None else read(self._path)
        return self._rules

    def check_order(self, op: str, args: Mapping[str, Any]) -> None:
        """Refuse an order that the host's owner forbids.

        Raises:
            Denied: names the rule.
        """
        rules = self._usable()
        if rules.read_only and op != "host.refresh":
            raise Denied("read_only", f"this host's policy is read_only: {op} is refused")
        if op == "container.create":
            _check_container(rules, args.get("spec") or {})
        elif op == "volume.create":
            _check_volume(rules, str(args.get("driver") or "local"), args.get("driver_opts") or {})
        elif op == "network.create":
            _check_network(rules, args.get("network") or {})
        elif op == "image.build":
            query = args.get("query") or {}
            if unknown := sorted(set(query) - BUILD_QUERY):
                raise Denied("build", f"a build may not set {', '.join(unknown)}")
            if not rules.privileged and query.get("networkmode") not in (None, "", "default", "bridge", "none"):
                raise Denied("privileged", "this host's policy forbids builds in another network namespace")

    def check_stream(self, name: str, *, changes: bool, enters: bool) -> None:
        """Refuse a live stream that the host's owner forbids.

        Args:
            changes: it writes something. enters: it runs or feeds a program inside a container.

        Raises:
            Denied: names the rule.
        """
        rules = self._usable()
        if enters and not rules.exec:
            raise Denied("exec", f"this host's policy forbids exec: {name} is refused")
        if changes and rules.read_only:
            raise Denied("read_only", f"this host's policy is read_only: {name} is refused")

    def _usable(self) -> Rules:
        rules = self.rules()
        if rules.broken:
            raise Denied("policy_file", f"this host's policy file cannot be used: {rules.broken}")
        return rules


def read(path: Path) -> Rules:
    """Read a policy file; never raises: a broken file forbids everything."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_uid not in {0, os.geteuid()} or stat.S_IMODE(facts.st_mode) & 0o022:
                return Rules(broken=f"{path} must belong to root and not be writable by others")
            content = tomllib.load(file)
    except (OSError, ValueError) as error:
        return Rules(broken=f"{path}: {error}")
    known = {"read_only": bool, "privileged": bool, "exec": bool, "bind_paths": list}
    for name, value in content.items():
        if name not in known or not isinstance(value, known[name]):
            return Rules(broken=f"{path}: {name} is no setting, or of a wrong type")
    paths = content.pop("bind_paths", None)
    if paths is not None and not all(isinstance(one, str) and one.startswith("/") for one in paths):
        return Rules(broken=f"{path}: bind_paths must be absolute paths")
    return Rules(**content, bind_paths=None if paths is None else tuple(paths))


def exact(content: Any, *names: str) -> Mapping[str, Any]:
    """An object of a request, as far as these names go.

    An engine in Go takes names in any case, also in Unicode's: one that we do not see must not be one that it sees.

    Raises:
        Denied: it is no object, or has one of the names in another spelling.
    """
    if not isinstance(content, Mapping):
        raise Denied("spelling", "what should be an object is none")
    folded = {name.casefold() for name in names}
    for given in content:
        if given not in names and str(given).casefold() in folded:
            raise Denied("spelling", f"{given!r} is not how the API spells it")
    return content


def _check_container(rules: Rules, spec: Mapping[str, Any]) -> None:
    if rules.privileged and rules.bind_paths is None:
        return
    host = exact(exact(spec, "HostConfig").get("HostConfig") or {}, *_WATCHED)
    if not rules.privileged:
        for reason in _past_default(host):
            raise Denied("privileged", f"this host's policy forbids {reason}")
    if rules.bind_paths is None:
        return
    if host.get("VolumesFrom"):
        raise Denied("bind_paths", "this host's policy limits bind_paths: VolumesFrom could pass others on")
    mounts = [_mount(mount) for mount in host.get("Mounts") or ()]
    for source in _bound(host, mounts):
        if not _below(source, rules.bind_paths):
            raise Denied(
                "bind_paths", f"this host's policy allows binds below {', '.join(rules.bind_paths)} only, not {source}"
            )
    for mount in mounts:
        _check_volume(rules, str(mount["driver"].get("Name") or "local"), mount["driver"].get("Options") or {})


def _mount(given: Any) -> dict[str, Any]:
    try:
        mount = exact(given, "Type", "Source", "VolumeOptions")
        options = exact(mount.get("VolumeOptions") or {}, "DriverConfig")
        driver = exact(options.get("DriverConfig") or {}, "Name", "Options")
    except Denied as denied:
        raise Denied("bind_paths", f"this host's policy limits bind_paths: {denied}") from None
    return {"type": mount.get("Type"), "source": str(mount.get("Source") or ""), "driver": driver}


def _check_volume(rules: Rules, driver: str, options: Any) -> None:
    if rules.bind_paths is None or not options:
        return
    options = exact(options)
    if driver == "local" and set(options) == {"size"}:
        return
    device, kind = str(options.get("device") or ""), str(options.get("type") or "")
    # with bind the kernel looks at the device alone, without it a file system's options may name any path
    binds = not {"bind", "rbind"}.isdisjoint(str(options.get("o") or "").split(","))
    if driver == "local" and kind == "tmpfs" and not binds:
        return
    if driver != "local" or not binds or not _below(device, rules.bind_paths):
        raise Denied("bind_paths", f"this host's policy limits bind_paths: a volume on {device or driver} is refused")


def _check_network(rules: Rules, network: Any) -> None:
    if rules.privileged:
        return
    asked = exact(network, "Driver", "Options", "ConfigFrom")
    options = exact(asked.get("Options") or {})
    if asked.get("Driver") not in (None, "", "bridge") or asked.get("ConfigFrom") or not set(options) <= _WITHIN_BRIDGE:
        raise Denied("privileged", "this host's policy forbids networks on its links, or with options that open it")


def _past_default(host: Mapping[str, Any]) -> Iterator[str]:
    if host.get("Privileged"):
        yield "privileged containers"
    if host.get("CapAdd"):
        yield "added capabilities"
    for name in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "NetworkMode", "CgroupnsMode"):
        owner = str(host.get(name) or "").partition(":")[0]
        # another container's namespace: what runs there may have more than the default
        if owner in {"host", "container"}:
            yield f"{name} {owner}"
    for name in ("Devices", "DeviceRequests", "DeviceCgroupRules", "Sysctls", "OomKillDisable", "CpuRealtimePeriod",
                 "CpuRealtimeRuntime"):  # fmt: skip
        if host.get(name):
            yield name
    # below 0 the kernel would rather end a process of the host's
    if isinstance(adjusted := host.get("OomScoreAdj"), int) and adjusted < 0:
        yield f"OomScoreAdj {adjusted}"
    for option in host.get("SecurityOpt") or ():
        if str(option).split(":")[0].split("=")[0] not in _HARMLESS_OPTIONS:
            yield f"SecurityOpt {option}"
    for name in ("MaskedPaths", "ReadonlyPaths"):
        # also an empty list: it lays open what is hidden by default
        if host.get(name) is not None:
            yield name
    for name in ("CgroupParent", "Cgroup", "Annotations"):
        if host.get(name):
            yield name
    if host.get("Runtime"):
        yield "another runtime"
    log = exact(host.get("LogConfig") or {}, "Type", "Config")
    driver = str(log.get("Type") or "")
    # the engine would speak, as root and from this host, to whatever is named there
    sends = any(str(option).startswith(("syslog-address", "syslog-tls")) for option in log.get("Config") or ())
    if driver not in _LOG_DRIVERS or sends:
        yield f"log driver {driver} with an address"


def _bound(host: Mapping[str, Any], mounts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for bind in host.get("Binds") or ():
        source = str(bind).split(":", 1)[0]
        if source.startswith(("/", ".", "~")):
            yield source
    for mount in mounts:
        # an image shows what it holds, whatever its name looks like
        if mount["type"] not in {"volume", "tmpfs", "image"}:
            yield mount["source"]


def _below(source: str, allowed: tuple[str, ...]) -> bool:
    # a link inside an allowed directory must not lead out of it
    real = Path(os.path.realpath(source))
    return source.startswith("/") and any(real.is_relative_to(os.path.realpath(path)) for path in allowed)
