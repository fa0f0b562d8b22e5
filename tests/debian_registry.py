"""Debian's docker-registry: the public registry of the tests, since no other can be reached."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def registry(root: Path, address: str, *, wrap: Sequence[str] = ()) -> Iterator[str]:
    """A registry that serves without TLS.

    Args:
        root: its storage and configuration.
        address: ``host:port`` to listen on.
        wrap: command prefix, such as a namespace's ``nsenter``.

    Yields:
        the address, as the first part of an image's reference.
    """
    root.mkdir(parents=True, exist_ok=True)
    configuration = root / "config.yml"
    configuration.write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {root}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    log = (root / "log").open("wb")
    process = subprocess.Popen(
        [*wrap, "docker-registry", "serve", str(configuration)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            asked = subprocess.run(
                [*wrap, "curl", "-sf", f"http://{address}/v2/"], capture_output=True, check=False, timeout=5
            )
            if asked.returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"docker-registry did not start: {(root / 'log').read_text()[-2000:]}")
        yield address
    finally:
        process.terminate()
        process.wait(10)
        log.close()
