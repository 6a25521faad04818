"""A sysroot: a Linux system's files, wherever they lie, from which a base takes what it needs.

`Sysroot` asks three things of whoever has the files; all else follows from them. `FolderRoot` is
a folder on this machine, `imageroot.ImageRoot` the layers of an image.
"""

from __future__ import annotations

import os
import stat
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from imagesmith.beam.tree import CHUNK_BYTES, MAX_LINK_HOPS
from imagesmith.errors import BaseError
from imagesmith.layer.member import Content, FileMember, LinkMember, Member

__all__ = ["Entry", "FolderRoot", "Sysroot", "parts_of"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at a path: type and permissions as in `st_mode`, and a link's target."""

    mode: int
    target: str = ""


class Sysroot(Protocol):
    """A system. Paths are absolute, links are followed inside of it.

    `name` is what a message calls it. Whatever is there but cannot be read raises BaseError.
    """

    name: str

    @abstractmethod
    def entry(self, path: str) -> Entry | None:
        """What lies at a path, no link followed at its end; None for nothing."""

    @abstractmethod
    def children(self, path: str) -> Iterable[str]:
        """The names in a folder, by its path behind all links."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """A file, by its path behind all links."""

    def resolve(self, path: str) -> tuple[str, list[LinkMember]] | None:
        """The path behind all links, and the links on the way; None if nothing is there.

        As if the sysroot were `/`: `..` and absolute links end at its top.
        """
        todo = parts_of(path)
        at: list[str] = []
        links: list[LinkMember] = []
        while todo:
            part = todo.pop()
            if part == "..":
                del at[-1:]
                continue
            at.append(part)
            here = "/".join(at)
            entry = self.entry(f"/{here}")
            if entry is None:
                return None
            if stat.S_ISLNK(entry.mode):
                links.append(LinkMember(here, entry.target))
                if len(links) > MAX_LINK_HOPS:
                    return None
                at = [] if entry.target.startswith("/") else at[:-1]
                todo += parts_of(entry.target)
        return f"/{'/'.join(at)}", links

    def text(self, path: str) -> str | None:
        """A text file, links followed; None where there is none."""
        found = self.file(path)
        if found is None:
            return None
        with self.reading(found[0]), self.open(found[0]) as file:
            return file.read().decode(errors="replace")

    def members(self, path: str) -> list[Member] | None:
        """A file with all links that lead to it, as they are here; None if it is not there."""
        found = self.file(path)
        if found is None:
            return None
        real, links = found
        return [*links, self._member(real)]

    def below(self, path: str, skip: Iterable[str] = ()) -> Iterator[Member]:
        """Every file and link in a folder, but not in its children named in `skip`.

        With the links that lead to the folder; sockets, devices and the like are left out.
        """
        found = self.resolve(path)
        if found is None:
            return
        top, links = found
        yield from links
        for name in self.names(top):
            if name not in skip:
                yield from self._tree(f"{top.rstrip('/')}/{name}")

    def names(self, path: str) -> list[str]:
        """The names in a folder; none if it is not there."""
        found = self.resolve(path)
        if found is None or not stat.S_ISDIR(self._mode(found[0])):
            return []
        return sorted(self.children(found[0]))

    def file(self, path: str) -> tuple[str, list[LinkMember]] | None:
        """As `resolve`, but None for everything that is no regular file."""
        found = self.resolve(path)
        return found if found and stat.S_ISREG(self._mode(found[0])) else None

    @contextmanager
    def reading(self, path: str) -> Iterator[None]:
        """Whatever the operating system refuses becomes a BaseError that names the path."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise BaseError(f"{self.name}: {path} cannot be read: {reason}") from None

    def _tree(self, path: str) -> Iterator[Member]:
        entry = self.entry(path) or Entry(0)
        if stat.S_ISLNK(entry.mode):
            yield LinkMember(path[1:], entry.target)
        elif stat.S_ISDIR(entry.mode):
            for name in self.names(path):
                yield from self._tree(f"{path}/{name}")
        elif stat.S_ISREG(entry.mode):
            yield self._member(path)

    def _member(self, real: str) -> FileMember:
        executable = bool(self._mode(real) & stat.S_IXUSR)
        return FileMember(real[1:], Content.of(partial(self._stream, real)), executable)

    def _stream(self, path: str) -> Iterator[bytes]:
        with self.reading(path), self.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def _mode(self, path: str) -> int:
        found = self.entry(path)
        return found.mode if found else 0


class FolderRoot(Sysroot):
    """A folder that holds a system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"sysroot {root}"
        if not root.is_dir():
            raise BaseError(
                f"sysroot {root}: there is no such folder",
                hint="Name the root of a Linux system, such as / or an unpacked rootfs.",
            )

    def entry(self, path: str) -> Entry | None:
        """See Sysroot."""
        with self.reading(path):
            try:
                mode = os.lstat(self.host(path)).st_mode
                target = os.readlink(self.host(path)) if stat.S_ISLNK(mode) else ""
            except (FileNotFoundError, NotADirectoryError):
                return None
        return Entry(mode, target)

    def children(self, path: str) -> list[str]:
        """See Sysroot."""
        with self.reading(path):
            return [child.name for child in Path(self.host(path)).iterdir()]

    def open(self, path: str) -> BinaryIO:
        """See Sysroot."""
        with self.reading(path):
            return open(self.host(path), "rb")

    def host(self, path: str) -> str:
        """Where a path of the system lies on this machine."""
        return f"{self.root}/{path[1:]}"


def parts_of(path: str) -> list[str]:
    """A path's parts, last first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
