"""The OCI ``process`` of an exec: the container's own, changed by what the client asked for."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.engine.containers.io.exec import Exec
from agent.engine.containers.oci import spec, users, workdirs
from agent.engine.containers.options import security
from agent.engine.errors import Conflict
from agent.engine.state.records import ContainerRecord

Json = dict[str, Any]


def environment(own: Sequence[str], asked: Sequence[str], *, tty: bool, container_tty: bool) -> list[str]:
    """The container's variables, those of the exec over them; a name without a value takes one away."""
    found = dict(entry.partition("=")[::2] for entry in own)
    if container_tty and not tty and found.get("TERM") == "xterm":
        del found["TERM"]
    if tty:
        found.setdefault("TERM", "xterm")
    for entry in asked:
        name, equals, value = entry.partition("=")
        if equals:
            found[name] = value
        else:
            found.pop(name, None)
    return [f"{name}={value}" for name, value in found.items()]


def process(base: Mapping[str, Any], record: ContainerRecord, exec_: Exec, user: users.User | None) -> Json:
    """The exec's process.

    Args:
        base: the process of the container's first program.
        record: the container.
        exec_: what is asked.
        user: who it runs as, where the exec names somebody.
    """
    made = dict(base)
    made["terminal"] = exec_.tty
    made["args"] = list(exec_.argv)
    own = base["env"]
    if user is not None and not any(one.startswith("HOME=") for one in record.config.get("Env") or []):
        own = [variable for variable in own if not variable.startswith("HOME=")]
    made["env"] = environment(own, exec_.env, tty=exec_.tty, container_tty=record.tty)
    if user is not None:
        made["env"] = spec.with_home(made["env"], user)
    made.pop("consoleSize", None)
    if exec_.workdir:
        made["cwd"] = exec_.workdir
    if user is not None:
        groups = list(dict.fromkeys((user.gid, *user.groups)))
        made["user"] = {"uid": user.uid, "gid": user.gid, "umask": 0o22, "additionalGids": groups}
    bounding = list((base.get("capabilities") or {}).get("bounding") or [])
    if exec_.privileged:
        # No more than the engine has itself: on a host that withholds some, the kernel would refuse them all.
        ours = security.own_capabilities()
        everything = security.capabilities({"Privileged": True}, (), security.last_capability())
        bounding = [name for name in everything if name in ours]
        made.pop("apparmorProfile", None)
    effective = bounding if made["user"]["uid"] == 0 or exec_.privileged else []
    made["capabilities"] = {"bounding": bounding, "effective": effective, "permitted": effective}
    return made


class ProcessMaker:
    """Makes processes from the bundles of running containers.

    Args:
        bundle: a container's id → its OCI bundle.
    """

    def __init__(self, bundle: Callable[[str], Path]) -> None:
        self._bundle = bundle

    async def __call__(self, record: ContainerRecord, exec_: Exec) -> Json:
        """The exec's process.

        Raises:
            Invalid: its user is not known in the container, or its working directory leads out of it.
            Conflict: the container has just ended.
        """
        try:
            base = json.loads((self._bundle(record.id) / "config.json").read_bytes())["process"]
            user = await asyncio.to_thread(self._user, record, exec_) if exec_.user else None
            if exec_.workdir:
                await asyncio.to_thread(workdirs.check, Path(f"/proc/{record.state.pid}/root"), exec_.workdir)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise Conflict(f"Container {record.id} is not running") from error
        return process(base, record, exec_, user)

    @staticmethod
    def _user(record: ContainerRecord, exec_: Exec) -> users.User:
        # Through the process, so that what is mounted over /etc counts as well.
        groups = record.host_config.get("GroupAdd") or ()
        return users.resolve(Path(f"/proc/{record.state.pid}/root"), exec_.user, groups)
