"""A build's context: the request's archive in a folder of its own, without what ``.dockerignore`` leaves out."""

import asyncio
import contextlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from agent.engine.build.ignore import Ignore, read_patterns
from agent.engine.build.lexer import MAX_BYTES
from agent.engine.build.tree import Tree
from agent.engine.errors import Invalid, System
from agent.engine.images.unpack import unpack

# The CLI sends a Dockerfile from elsewhere (or from its stdin) along under such a name.
SENT_ALONG = re.compile(r"\.dockerfile\.[0-9a-f]+")


@dataclass(frozen=True)
class Context:
    """An unpacked context, and the Dockerfile that was read from it."""

    tree: Tree
    dockerfile: bytes
    name: str
    scratch: Path
    """A folder for what the build needs besides; gone with the context."""


@contextlib.asynccontextmanager
async def opened(chunks: AsyncIterable[bytes], dockerfile: str, tmp: Path) -> AsyncIterator[Context]:
    """Unpack an archive, for as long as the block lasts.

    Raises:
        Invalid: no archive, or a hostile one; no such Dockerfile in it.
        NoSpace, System: the disk or the kernel refused.
    """
    folder = tmp / f"build-{uuid.uuid4().hex}"
    inside = folder / "context"
    inside.mkdir(mode=0o755, parents=True)
    try:
        try:
            await unpack(chunks, inside, whiteouts=False, owner=(0, 0))
        except Invalid as error:
            raise System(str(error)) from error
        tree = Tree(inside)
        try:
            source = await asyncio.to_thread(_read, tree, dockerfile)
            await asyncio.to_thread(_leave_out, tree, dockerfile)
            name = "Dockerfile" if SENT_ALONG.fullmatch(dockerfile) else dockerfile
            yield Context(tree, source, name, folder)
        finally:
            tree.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _read(tree: Tree, name: str) -> bytes:
    content = _content(tree, name)
    if content is None:
        raise System(f"Cannot locate specified Dockerfile: {name}")
    if not content:
        raise Invalid(f"the Dockerfile ({name}) cannot be empty")
    return content


def _content(tree: Tree, name: str) -> bytes | None:
    """A small regular file, or None."""
    try:
        fd = tree.open(name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return file.read(MAX_BYTES + 1)


def _leave_out(tree: Tree, dockerfile: str) -> None:
    """Remove what the patterns name: what a client left in must reach neither the cache's key nor the image."""
    if SENT_ALONG.fullmatch(dockerfile):
        (tree.path / dockerfile).unlink(missing_ok=True)
    patterns = _content(tree, f"{dockerfile}.dockerignore")
    if patterns is None:
        patterns = _content(tree, ".dockerignore")
    if not patterns:
        return
    ignore = Ignore(read_patterns(patterns))
    folders = []
    for entry, fd in tree.walk(""):
        if entry.path and entry.path in ignore:
            name = entry.path.rpartition("/")[2]
            if stat.S_ISDIR(entry.info.st_mode):
                folders.append(entry.path)
            else:
                os.unlink(name, dir_fd=fd)
    for path in reversed(folders):
        # A folder that an exception keeps something of stays.
        with contextlib.suppress(OSError):
            (tree.path / path).rmdir()
