"""Take one agent's host away: containers, cgroups, mounts, namespaces, links, nft tables, files.

Works from what the kernel shows rather than from the engine's records, so it also cleans up after an engine that is
broken or gone. The agent must have been stopped.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from agent.engine.config import EngineConfig
from agent.engine.kernel import cgroups, mounts
from agent.engine.paths import Paths

KILL_WITHIN = 10


def purge_agent(state: Path) -> None:
    """Remove all that the agent with this state directory left on the machine, and the directory itself.

    Args:
        state: the agent's ``--state``; its engine's root is ``state/engine``.
    """
    config = EngineConfig(root=state / "engine", socket=state / "docker.sock")
    # the network of a demo host goes with its namespace
    purge_engine(config, network=not (state / "netns").exists())
    _unmount(state.resolve())
    shutil.rmtree(state, ignore_errors=True)


def purge_engine(config: EngineConfig, *, network: bool) -> None:
    """Remove all that an engine left in the kernel and in its run directory. Its root stays.

    Args:
        config: the engine's; it must have been stopped.
        network: also take its links and tables out of the network namespace that we are in.
    """
    run = Paths.of(config).run
    _kill(config.cgroup)
    _unmount(config.root.resolve(), run)
    if network:
        _network(config)
    shutil.rmtree(run, ignore_errors=True)


def _kill(group: str) -> None:
    hierarchy = cgroups.detect()
    deadline = time.monotonic() + KILL_WITHIN
    while time.monotonic() < deadline:
        directories = [d for top in hierarchy.directories(group) if top.is_dir() for d in _below(top)]
        pids = {int(pid) for d in directories for pid in _read(d / "cgroup.procs").split()}
        for directory in directories:
            _write(directory / "freezer.state", "THAWED")
            _write(directory / "cgroup.freeze", "0")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not pids and cgroups.remove(hierarchy, group):
            return
        time.sleep(0.05)


def _below(directory: Path) -> list[Path]:
    return [Path(path) for path, _, _ in os.walk(directory)]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the group went away between the walk and now
        return ""


def _write(path: Path, text: str) -> None:
    if path.exists():
        try:
            path.write_text(text)
        except OSError:  # gone, or never frozen
            return


def _unmount(*roots: Path) -> None:
    for root in roots:
        for target in mounts.mounted_below(root):
            subprocess.run(["umount", "-l", target], capture_output=True, check=False)


def _network(config: EngineConfig) -> None:
    """Remove links and tables from the namespace that we are in."""
    for family, table in _tables(config):
        subprocess.run(["nft", "delete", "table", family, table], capture_output=True, check=False)
    for link in _links(config):
        subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)


def _tables(config: EngineConfig) -> list[tuple[str, str]]:
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
    rows = [line.split()[1:3] for line in listed.splitlines() if line.startswith("table ")]
    return [(family, table) for family, table in rows if config.key in table]


def _links(config: EngineConfig) -> list[str]:
    """Bridges that bear the engine's name as their alias."""
    shown = subprocess.run(["ip", "-j", "link", "show", "type", "bridge"], capture_output=True, text=True, check=False)
    links = json.loads(shown.stdout or "[]")
    return [link["ifname"] for link in links if link.get("ifalias") == f"longshore-{config.key}"]
