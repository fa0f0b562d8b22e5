"""The base image of every test: busybox-static and nothing else, made here, since no image comes from outside."""

import io
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")


def rootfs_tar() -> bytes:
    """A root filesystem as a tar: busybox with its applets, passwd and group, /tmp and /etc."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("bin", "etc", "tmp", "root", "var", "usr", "usr/bin", "home"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(entry)
        _file(archive, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        _file(
            archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644
        )
        _file(archive, "etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)
    return out.getvalue()


def import_into(docker_host: str, reference: str = "busybox:latest") -> None:
    """Import the image into an engine by the docker CLI.

    Args:
        docker_host: the engine, as in DOCKER_HOST.
        reference: the name that the image gets.
    """
    done = subprocess.run(
        ["docker", "-H", docker_host, "import", "-c", 'CMD ["sh"]', "-", reference],
        input=rootfs_tar(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{docker_host} does not import {reference}: {done.stderr.decode(errors='replace')}")


def _file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
