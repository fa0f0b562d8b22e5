"""Devices by name, from specification files (Container Device Interface): what ``--gpus`` and ``--device KIND=NAME``
mean on this host.

Files ``*.json``, ``*.yaml`` in ``/etc/cdi`` and ``/var/run/cdi``, the later directory over the earlier one; read at
each use, since drivers write them when they like. What a device needs is added to the OCI specification.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid, System

Json = dict[str, Any]

DIRECTORIES = (Path("/etc/cdi"), Path("/var/run/cdi"))
DRIVER = "cdi"
GPU_VENDORS = ("nvidia.com", "amd.com")
"""Whose devices ``--gpus`` takes: the first that this host has."""
LARGEST = 16 << 20
_QUALIFIED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*")
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def is_name(text: str) -> bool:
    """``vendor.com/class=device``."""
    return _QUALIFIED.fullmatch(text) is not None


class Catalogue:
    """All devices that the files name, with the edits that each needs."""

    def __init__(self, directories: Sequence[Path] = DIRECTORIES) -> None:
        """Read the files. One that cannot be read names nothing; its fault is kept for whoever misses a device."""
        self.devices: dict[str, list[Json]] = {}
        self.faults: list[str] = []
        for directory in directories:
            found: dict[str, list[Json]] = {}
            for path in sorted(directory.glob("*")) if directory.is_dir() else ():
                if path.suffix in {".json", ".yaml", ".yml"}:
                    try:
                        found.update(_read(path))
                    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                        self.faults.append(f"{path}: {error}")
            self.devices |= found

    def of_gpus(self) -> str:
        """``vendor/class`` of this host's GPUs; empty where it has none."""
        kinds = {name.partition("=")[0] for name in self.devices}
        return next((f"{vendor}/gpu" for vendor in GPU_VENDORS if f"{vendor}/gpu" in kinds), "")


def _read(path: Path) -> Iterator[tuple[str, list[Json]]]:
    if path.stat().st_size > LARGEST:
        raise ValueError("too large")
    text = path.read_text()
    if path.suffix == ".json":
        content = json.loads(text)
    else:
        # Only a host with such devices needs it, and then only here.
        import yaml

        content = yaml.safe_load(text)
    shared = content.get("containerEdits") or {}
    for device in content.get("devices") or ():
        yield f"{content['kind']}={device['name']}", [device.get("containerEdits") or {}, shared]


def names(requests: Sequence[Mapping[str, Any]] | None, catalogue: Catalogue) -> list[str]:
    """The devices that ``DeviceRequests`` mean.

    Raises:
        System: a driver that this engine has not, in dockerd's words.
        Invalid: a request that cannot be.
    """
    found: list[str] = []
    for request in requests or ():
        driver, count = request.get("Driver") or "", request.get("Count") or 0
        ids = list(request.get("DeviceIDs") or ())
        groups = request.get("Capabilities") or ()
        if count and ids:
            raise Invalid("cannot set both Count and DeviceIDs on device request")
        gpus = catalogue.of_gpus() if any("gpu" in group for group in groups) and driver != DRIVER else ""
        if driver == DRIVER:
            if count:
                raise Invalid("unexpected count in CDI device request")
            if request.get("Options"):
                raise Invalid("unexpected options in CDI device request")
            found += ids
        elif gpus and driver in {"", gpus.partition(".")[0]}:
            found += _gpus(gpus, count, ids, catalogue)
        else:
            words = " ".join(f"[{' '.join(group)}]" for group in groups)
            raise System(f'could not select device driver "{driver}" with capabilities: [{words}]')
    return list(dict.fromkeys(found))


def _gpus(kind: str, count: int, ids: Sequence[str], catalogue: Catalogue) -> list[str]:
    if ids:
        return [one if is_name(one) else f"{kind}={one}" for one in ids]
    if count < 0 and f"{kind}=all" in catalogue.devices:
        return [f"{kind}=all"]
    numbered = sorted(
        (name for name in catalogue.devices if name.partition("=")[0] == kind and name.partition("=")[2].isdigit()),
        key=lambda name: int(name.partition("=")[2]),
    )
    if count > len(numbered):
        raise System(f"could not select {count} of {len(numbered)} {kind} devices")
    return numbered if count < 0 else numbered[: count or len(numbered)]


def edits(wanted: Sequence[str], catalogue: Catalogue) -> list[Json]:
    """What the devices need, each edit once.

    Raises:
        System: a device that no file names.
    """
    missing = [name for name in wanted if name not in catalogue.devices]
    if missing:
        faults = f" ({'; '.join(catalogue.faults)})" if catalogue.faults else ""
        raise System(f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}{faults}")
    found: list[Json] = []
    for name in wanted:
        found += [edit for edit in catalogue.devices[name] if edit and edit not in found]
    return found


def inject(document: Json, found: Sequence[Mapping[str, Any]], nodes: Sequence[tuple[Json, str]]) -> None:
    """Add the edits to an OCI specification. Pure.

    Args:
        document: changed in place.
        found: of ``edits``.
        nodes: their device nodes, looked up, each with what may be done to it.
    """
    process, linux = document["process"], document["linux"]
    for edit in found:
        names_given = {variable.partition("=")[0] for variable in edit.get("env") or ()}
        kept = [variable for variable in process["env"] if variable.partition("=")[0] not in names_given]
        process["env"] = [*kept, *(edit.get("env") or ())]
        for mount in edit.get("mounts") or ():
            options, kind = list(mount.get("options") or ()), mount.get("type") or "bind"
            if kind == "bind" and not {"bind", "rbind"} & set(options):
                options.insert(0, "rbind")
            document["mounts"].append(
                {
                    "destination": mount["containerPath"],
                    "type": kind,
                    "source": mount["hostPath"],
                    "options": options,
                }
            )
        for hook in edit.get("hooks") or ():
            if hook["hookName"] not in _HOOKS:
                raise System(f"CDI device injection failed: unknown hook {hook['hookName']}")
            made = {key: hook[key] for key in ("path", "args", "env", "timeout") if hook.get(key)}
            document.setdefault("hooks", {}).setdefault(hook["hookName"], []).append(made)
        if groups := [gid for gid in edit.get("additionalGids") or () if gid]:
            user = process["user"]
            user["additionalGids"] = list(dict.fromkeys((*user.get("additionalGids", ()), *groups)))
    for node, access in nodes:
        linux["devices"] = [one for one in linux.get("devices", ()) if one["path"] != node["path"]] + [node]
        rule = {key: node[key] for key in ("type", "major", "minor")}
        linux["resources"]["devices"].append({"allow": True, **rule, "access": access})
