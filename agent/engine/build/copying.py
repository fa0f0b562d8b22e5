"""COPY and ADD as a step: the sources found and hashed, then copied into a writable layer."""

import asyncio
import hashlib
import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path

from agent.engine.build import archives, modes
from agent.engine.build.config import StageState
from agent.engine.build.copyadd import How, Target
from agent.engine.build.expand import expand_text
from agent.engine.build.ignore import Ignore
from agent.engine.build.instructions import Copy, InlineFile
from agent.engine.build.tree import WILDCARDS, Tree
from agent.engine.containers.oci import users
from agent.engine.errors import Invalid, NotFound
from agent.engine.images.unpack import unpack


@dataclass(frozen=True)
class Found:
    """One source: where it lies in its tree, and the name that it gets."""

    path: str
    name: str
    folder: bool


@dataclass(frozen=True)
class Prepared:
    """A COPY or ADD with its words expanded and its sources found."""

    keyword: str
    files: tuple[Found, ...]
    texts: tuple[tuple[str, str], ...]
    destination: str
    chown: str
    chmod: str
    ignore: Ignore | None
    unpack: bool
    keep_owner: bool
    digest: str

    @property
    def comment(self) -> str:
        """What the history says, and the cache compares."""
        chown = f"--chown={self.chown} " if self.chown else ""
        chmod = f"--chmod={self.chmod} " if self.chmod else ""
        return f"{self.keyword} {chown}{chmod}{self.digest} in {self.destination} "


def prepare(copy: Copy, state: StageState, tree: Tree) -> Prepared:
    """Find and hash. Blocking.

    Raises:
        NotFound: a source is not there.
        Invalid: several sources and no folder to put them in; a URL; a mode that is none.
    """
    destination = state.absolute(state.expand(copy.destination))
    chmod = state.expand(copy.chmod)
    if chmod:
        modes.check(chmod)
    ignore = Ignore([state.expand(pattern) for pattern in copy.excludes]) if copy.excludes else None
    files: list[Found] = []
    texts: list[tuple[str, str]] = []
    for source in copy.sources:
        if isinstance(source, InlineFile):
            variables = state.scope.variables(state.env)
            texts.append((source.name, expand_text(source.content, variables) if source.expand else source.content))
        else:
            files += _found(copy, state.expand(source), tree)
    many = len(files) + len(texts) > 1
    if many and not copy.parents and not destination.endswith("/"):
        reason = "with more than one source file, the destination must be a directory and end with a /"
        raise Invalid(f"When using {copy.keyword} {reason}")
    keep_owner = bool(copy.origin) and not copy.chown
    digests = [("dir:" if each.folder else "file:") + _digest(tree, each, ignore, owners=keep_owner) for each in files]
    digests += ["text:" + hashlib.sha256(f"{name}\0{text}".encode()).hexdigest() for name, text in texts]
    digest = digests[0]
    if len(digests) > 1:
        digest = "multi:" + hashlib.sha256(",".join(digests).encode()).hexdigest()
    return Prepared(
        keyword=copy.keyword,
        files=tuple(files),
        texts=tuple(texts),
        destination=destination,
        chown=state.expand(copy.chown),
        chmod=chmod,
        ignore=ignore,
        unpack=copy.unpack,
        keep_owner=keep_owner,
        digest=digest,
    )


def _digest(tree: Tree, found: Found, ignore: Ignore | None, *, owners: bool) -> str:
    named = f"{found.name}\0{tree.digest(found.path, owners=owners, ignore=ignore)}"
    return hashlib.sha256(named.encode(errors="surrogateescape")).hexdigest()


def _found(copy: Copy, source: str, tree: Tree) -> list[Found]:
    if source.startswith(("http://", "https://", "git@", "git://", "ssh://")):
        if copy.keyword == "COPY":
            raise Invalid("COPY failed: source can't be a URL for COPY")
        raise Invalid(f"ADD failed: {source}: ADD from an address is not supported; fetch it in a RUN")
    pivot = ""
    if copy.parents and "/./" in source:
        pivot, _, _ = source.partition("/./")
    try:
        paths = tree.find(source)
    except NotFound as error:
        if not copy.origin:
            message = f"file not found in build context or excluded by .dockerignore: {error}"
            raise NotFound(f"{copy.keyword} failed: {message}") from None
        raise NotFound(f"{copy.keyword} failed: {error}") from None
    found = []
    for path in paths:
        name = posixpath.basename(path)
        if copy.parents:
            skipped = len([part for part in posixpath.normpath(pivot).split("/") if part not in ("", ".")])
            name = "/".join(path.split("/")[skipped:])
        found.append(Found(path, name, tree.is_folder(path)))
    # A wildcard that matches one file of several still names a file; parents make a folder of the destination.
    if WILDCARDS & set(source) and not found:
        raise Invalid("no source files were specified")
    return found


async def perform(prepared: Prepared, source: Tree, root: Path, *, parents: bool) -> None:
    """Copy into a mounted layer.

    Raises:
        Invalid: an unknown owner, or files in the way.
    """
    target_tree = Tree(root)
    try:
        owner = await asyncio.to_thread(_owner, prepared, root)
        target = Target(target_tree, How(owner, prepared.chmod, prepared.ignore))
        many = len(prepared.files) + len(prepared.texts) > 1 or parents
        for found in prepared.files:
            if not (prepared.unpack and await _unpacked(prepared, found, source, target, owner)):
                await asyncio.to_thread(_copy, prepared, found, source, target, many=many, parents=parents)
        for name, text in prepared.texts:
            place = target.place_file(name, prepared.destination, many=many)
            await asyncio.to_thread(target.write, place, text.encode())
    finally:
        target_tree.close()


def _copy(prepared: Prepared, found: Found, source: Tree, target: Target, *, many: bool, parents: bool) -> None:
    if parents:
        target.copy(source, found.path, posixpath.join(prepared.destination, found.name))
    elif found.folder:
        target.copy(source, found.path, prepared.destination.rstrip("/") or "/")
    else:
        target.copy(source, found.path, target.place_file(found.name, prepared.destination, many=many))


async def _unpacked(
    prepared: Prepared, found: Found, source: Tree, target: Target, owner: tuple[int, int] | None
) -> bool:
    """Unpack a source into the destination if it is an archive."""
    if found.folder:
        return False
    fd = source.open(found.path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode) or not await asyncio.to_thread(archives.is_archive, fd):
            return False
        os.close(await asyncio.to_thread(target.folder, prepared.destination))
        given = owner if prepared.chown else None
        await unpack(fd, target.tree.path, folder=prepared.destination, whiteouts=False, owner=given)
        return True
    finally:
        os.close(fd)


def _owner(prepared: Prepared, root: Path) -> tuple[int, int] | None:
    if not prepared.chown:
        return None if prepared.keep_owner else (0, 0)
    name, colon, group = prepared.chown.partition(":")
    spec = prepared.chown
    if name.isdigit() and not (colon and group):
        spec = f"{name}:{name}"
    try:
        user = users.resolve(root, spec)
    except Invalid as error:
        raise Invalid(f"unable to convert uid/gid chown string to host mapping: {error}") from error
    return user.uid, user.gid
