"""User namespaces: made by a small process that ends at once, since one with threads can neither make nor enter one.

A namespace is kept by binding it to a file. A network namespace made with it is owned by it, so that the root inside
may do there what he likes.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.engine.errors import System
from agent.engine.kernel import mounts
from agent.engine.kernel.idmaps import IdMap

# Says that it is there, and stays until its namespaces are bound.
_WAIT = ("sh", "-c", "echo; read end")


def make(ids: IdMap, users: Path, network: Path | None = None) -> None:
    """Make a user namespace, bound to ``users``, and a network namespace that it owns. Blocks for some ms.

    Raises:
        System: the kernel refused; nothing is left.
    """
    with _process(("unshare", "--user", *(("--net",) if network else ()), *_WAIT)) as process:
        for name, ranges in (("uid_map", ids.uids), ("gid_map", ids.gids)):
            Path(f"/proc/{process.pid}/{name}").write_text(ids.text(ranges))
        _bind(process.pid, {"user": users} | ({"net": network} if network else {}))


def make_network(users: Path, network: Path) -> None:
    """Make a network namespace that an existing user namespace owns.

    Raises:
        System: the kernel refused; nothing is left.
    """
    with _process(("nsenter", f"--user={users}", "unshare", "--net", *_WAIT)) as process:
        _bind(process.pid, {"net": network})


@contextmanager
def _process(argv: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that has said that it is there, until the block ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            if not process.stdout.readline():
                raise System(
                    f"a user namespace cannot be made: {process.stderr.read().decode(errors='replace').strip()}"
                )
            yield process
        except OSError as error:
            raise System(f"a user namespace cannot be made: {error}") from error
        finally:
            process.stdin.close()


def _bind(pid: int, paths: dict[str, Path]) -> None:
    done: list[Path] = []
    try:
        for kind, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            done.append(path)
            mounts.bind(f"/proc/{pid}/ns/{kind}", path)
    except OSError:
        for path in done:
            mounts.unmount(path, lazy=True)
            path.unlink(missing_ok=True)
        raise
