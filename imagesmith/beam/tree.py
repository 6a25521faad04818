"""A tree of files: what a release is read from, wherever it lies.

`Tree` is what the rest of imagesmith knows of it; `Folder`, at the end, is the one place in this
room that touches a disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from imagesmith.errors import ReleaseError, UsageError

__all__ = [
    "NAME_THE_FOLDER",
    "EmptyFolder",
    "Entry",
    "File",
    "Folder",
    "Link",
    "Special",
    "Tree",
    "check_links",
    "show_path",
]

CHUNK_BYTES = 1 << 20
NAME_THE_FOLDER = "Name the folder that `mix release` printed, such as _build/prod/rel/NAME."
MAX_LINK_HOPS = 40  # as the Linux kernel has it (path_resolution(7))


@dataclass(frozen=True, slots=True)
class File:
    """A regular file: its size in bytes, and whether its owner may execute it."""

    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link and its target, as written."""

    target: str


@dataclass(frozen=True, slots=True)
class EmptyFolder:
    """A folder with nothing in it; other folders are implied by what they hold."""


@dataclass(frozen=True, slots=True)
class Special:
    """What no image can hold: `kind` says what it is (a fifo, a socket, a device)."""

    kind: str


Entry = File | Link | EmptyFolder | Special


class Tree(Protocol):
    """Files by path; a path is relative to the tree's top, parts joined by `/`."""

    @property
    def name(self) -> str:
        """What to call the tree in a message."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Everything in the tree, sorted by path."""

    def open(self, path: str) -> BinaryIO:
        """A file, seekable. Raises ReleaseError if it cannot be opened."""

    def read(self, path: str, size: int = -1) -> bytes:
        """The first `size` bytes of a file, or all. Raises ReleaseError if it cannot be read."""

    def stream(self, path: str) -> Iterator[bytes]:
        """A file's bytes, about a MiB at a time. Raises ReleaseError if it cannot be read."""


class Folder:
    """A tree that is a folder on this machine.

    Raises UsageError if there is no such folder, ReleaseError if something in it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = show_path(str(root))
        if not root.is_dir():
            problem = "this is no folder" if root.exists() else "there is no such folder"
            raise UsageError(f"{self.name}: {problem}", hint=NAME_THE_FOLDER)
        self.entries: Mapping[str, Entry] = dict(sorted(self._scan()))

    def open(self, path: str) -> BinaryIO:
        """See Tree."""
        self._check(path)
        try:
            return open(self._place(path), "rb")
        except OSError as error:
            raise _unreadable(self, path, error) from None

    def read(self, path: str, size: int = -1) -> bytes:
        """See Tree."""
        if size < 0:
            return b"".join(self.stream(path))
        try:
            with self.open(path) as file:
                return file.read(size)
        except OSError as error:
            raise _unreadable(self, path, error) from None

    def stream(self, path: str) -> Iterator[bytes]:
        """See Tree."""
        entry = self._check(path)
        # One read of just its size: a release is a thousand small files, and a buffered file
        # object takes longer to make than such a file to read.
        size = min(entry.size + 1, CHUNK_BYTES) if isinstance(entry, File) else CHUNK_BYTES
        try:
            handle = os.open(self._place(path), os.O_RDONLY)
            try:
                while chunk := os.read(handle, size):
                    yield chunk
            finally:
                os.close(handle)
        except OSError as error:
            raise _unreadable(self, path, error) from None

    def _check(self, path: str) -> Entry | None:
        entry = self.entries.get(path)
        if isinstance(entry, Special):  # to open a fifo is to wait for a writer
            raise ReleaseError(f"{self.name}: {show_path(path)} cannot be read: it is {entry.kind}")
        return entry

    def _place(self, path: str) -> bytes:
        """Where a path lies: names in a release are UTF-8, whatever this machine's locale says."""
        return os.fsencode(self.root) + b"/" + path.encode("utf-8", "surrogateescape")

    def _scan(self) -> Iterator[tuple[str, Entry]]:
        folders = [""]
        while folders:
            folder = folders.pop()
            path = folder or "."
            try:
                with os.scandir(self._place(folder)) as found:
                    children = list(found)
                if folder and not children:
                    yield folder, EmptyFolder()
                for child in children:
                    name = _text(child.name)
                    path = f"{folder}/{name}" if folder else name
                    entry = _entry(child)
                    if entry is None:
                        folders.append(path)
                    else:
                        yield path, entry
            except OSError as error:
                raise _unreadable(self, path, error) from None


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _entry(child: os.DirEntry[bytes]) -> Entry | None:
    """What lies there; None for a folder."""
    if child.is_symlink():
        return Link(_text(os.readlink(child.path)))
    if child.is_dir():
        return None
    status = child.stat(follow_symlinks=False)
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return File(status.st_size, bool(mode & stat.S_IXUSR))
    if stat.S_ISFIFO(mode):
        return Special("a fifo")
    if stat.S_ISSOCK(mode):
        return Special("a socket")
    return Special("a device")


def _unreadable(tree: Tree, path: str, error: OSError) -> ReleaseError:
    reason = error.strerror or str(error)
    return ReleaseError(f"{tree.name}: {show_path(path)} cannot be read: {reason}")


def show_path(path: str) -> str:
    """A path as a message shows it: quoted and escaped where it holds more than plain text."""
    return path if path.isprintable() else ascii(path)


def check_links(tree: Tree, paths: Iterable[str]) -> None:
    """Raise ReleaseError if a link among `paths` leads out of the tree, directly or in steps."""
    for path in paths:
        entry = tree.entries[path]
        if isinstance(entry, Link) and _leaves(tree, path):
            raise ReleaseError(
                f"{tree.name}: the symbolic link {show_path(path)} -> {show_path(entry.target)} "
                "leaves the release",
                hint="Copy what it points at into the release (priv/ or rel/overlays), or make it "
                "a relative link that stays inside. A relx release needs {dev_mode, false}.",
            )


def _leaves(tree: Tree, link: str) -> bool:
    """Follow a link as the kernel would, but with the tree's top as the wall."""
    todo = list(reversed(PurePosixPath(link).parts))
    at: list[str] = []
    hops = 0
    while todo:
        part = todo.pop()
        if part == "..":
            if not at:
                return True
            at.pop()
            continue
        at.append(part)
        entry = tree.entries.get("/".join(at))
        if isinstance(entry, Link):
            hops += 1
            if entry.target.startswith("/"):
                return True
            if hops > MAX_LINK_HOPS:
                return False  # a loop: broken, but it leads nowhere
            at.pop()
            todo.extend(reversed(PurePosixPath(entry.target).parts))
    return False
