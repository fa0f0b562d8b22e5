"""Debian's dockerd, to compare with and to sit on.

``scripts/test`` starts one and names its socket in ``LONGSHORE_TEST_PEER``. Without that, one is started here in a
namespace of its own.
"""

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.netns import Namespace


@contextlib.contextmanager
def dockerd(root: Path) -> Iterator[str]:
    """A running dockerd, as a DOCKER_HOST.

    Args:
        root: where its data lies if one has to be started; not on overlayfs.
    """
    given = os.environ.get("LONGSHORE_TEST_PEER")
    if given:
        yield f"unix://{given}"
        return
    namespace = Namespace(f"ls-peer-{secrets.token_hex(2)}")
    socket = root / "docker.sock"
    log = (root / "dockerd.log").open("wb")
    process = subprocess.Popen(
        namespace.argv("/usr/sbin/dockerd", "--data-root", f"{root}/data", "--exec-root", f"{root}/exec",
                       "--pidfile", f"{root}/pid", "-H", f"unix://{socket}"),
        stdout=log, stderr=log, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(120):
            if (
                subprocess.run(
                    ["docker", "-H", f"unix://{socket}", "version"], capture_output=True, check=False
                ).returncode
                == 0
            ):
                break
            time.sleep(0.25)
        else:
            raise RuntimeError(f"dockerd did not start: {(root / 'dockerd.log').read_text()[-2000:]}")
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(30)
        log.close()
        namespace.remove()
