"""The hosts of this installation: the machine itself, or demo hosts in network namespaces of their own."""

import hashlib
import socket
import subprocess
import sys
from pathlib import Path

from scripts.launch.manage import manage
from scripts.launch.plan import ROOT, Plan
from scripts.launch.refusal import Refusal


def names(plan: Plan) -> list[str]:
    """The names of the hosts that the plan wants: this machine's, or ``demo-1`` … ``demo-N``."""
    if plan.hosts is None:
        return [socket.gethostname().split(".")[0]]
    return [f"demo-{n + 1}" for n in range(plan.hosts)]


def missing(plan: Plan) -> list[str]:
    """Those of ``names`` that have not been enrolled yet."""
    return [name for name in names(plan) if not (plan.data / "hosts" / name / "agent.toml").exists()]


def enrol(plan: Plan, name: str) -> Path:
    """Give a host its key and make it known to the control plane, which must already serve.

    Returns:
        the agent's state directory.

    Raises:
        Refusal: the control plane or the agent refused; its words are in the message.
    """
    state = plan.data / "hosts" / name
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    join_string = manage(plan, "create_enrolment", name).strip().splitlines()[-1]
    done = subprocess.run(
        [sys.executable, "-m", "agent", "enrol", "-", "--state", state],
        input=join_string + "\n", text=True, capture_output=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode:
        raise Refusal(f"host {name} could not be enrolled: {done.stderr.strip()}")
    return state


def ensure_namespaces(plan: Plan) -> None:
    """Make the demo hosts' namespaces where a reboot, or the first start, left none.

    A file ``netns`` in the state directory names the namespace; hosts without it use the machine's own network.
    """
    if plan.hosts is None:
        return
    for name in names(plan):
        state = plan.data / "hosts" / name
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = namespace(plan.data, name)
        (state / "netns").write_text(f"{path}\n")
        if not path.exists():
            _ip("netns", "add", path.name)
            _ip("-n", path.name, "link", "set", "lo", "up")


def namespace(data: Path, name: str) -> Path:
    """Where a demo host's namespace is bound; two data directories never share one."""
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:6]
    return Path("/run/netns") / f"ls-{digest}-{name}"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
