"""A sysroot: a Linux system's files, from which the minimal base takes what a release needs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imagesmith.beam.tree import CHUNK_BYTES
from imagesmith.errors import BaseError
from imagesmith.layer.member import Content, FileMember, LinkMember, Member

__all__ = ["Sysroot"]

MAX_LINK_HOPS = 40


class Sysroot:
    """A folder that holds a system. Paths are absolute, links are followed inside of it.

    Whatever is there but cannot be read raises BaseError.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not root.is_dir():
            raise BaseError(
                f"sysroot {root}: there is no such folder",
                hint="Name the root of a Linux system, such as / or an unpacked rootfs.",
            )

    def resolve(self, path: str) -> tuple[str, list[LinkMember]] | None:
        """The path behind all links, and the links on the way; None if nothing is there.

        As if the sysroot were `/`: `..` and absolute links end at its top.
        """
        todo = _parts(path)
        at: list[str] = []
        links: list[LinkMember] = []
        while todo:
            part = todo.pop()
            if part == "..":
                del at[-1:]
                continue
            at.append(part)
            here = "/".join(at)
            mode = self._mode(f"/{here}")
            if mode is None:
                return None
            if stat.S_ISLNK(mode):
                with self._reading(f"/{here}"):
                    target = os.readlink(self._host(f"/{here}"))
                links.append(LinkMember(here, target))
                if len(links) > MAX_LINK_HOPS:
                    return None
                at = [] if target.startswith("/") else at[:-1]
                todo += _parts(target)
        return f"/{'/'.join(at)}", links

    def open(self, path: str) -> BinaryIO:
        """A file, by its path behind all links."""
        with self._reading(path):
            return open(self._host(path), "rb")

    def text(self, path: str) -> str | None:
        """A text file, links followed; None where there is none."""
        found = self._file(path)
        if found is None:
            return None
        with self._reading(found[0]), self.open(found[0]) as file:
            return file.read().decode(errors="replace")

    def members(self, path: str) -> list[Member] | None:
        """A file with all links that lead to it, as they are here; None if it is not there."""
        found = self._file(path)
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
        if found is None or not stat.S_ISDIR(self._mode(found[0]) or 0):
            return []
        with self._reading(found[0]):
            return sorted(child.name for child in Path(self._host(found[0])).iterdir())

    def _tree(self, path: str) -> Iterator[Member]:
        mode = self._mode(path) or 0
        if stat.S_ISLNK(mode):
            with self._reading(path):
                yield LinkMember(path[1:], os.readlink(self._host(path)))
        elif stat.S_ISDIR(mode):
            for name in self.names(path):
                yield from self._tree(f"{path}/{name}")
        elif stat.S_ISREG(mode):
            yield self._member(path)

    def _file(self, path: str) -> tuple[str, list[LinkMember]] | None:
        found = self.resolve(path)
        if found is None or not stat.S_ISREG(self._mode(found[0]) or 0):
            return None
        return found

    def _member(self, real: str) -> FileMember:
        executable = bool((self._mode(real) or 0) & stat.S_IXUSR)
        return FileMember(real[1:], Content.of(partial(self._stream, real)), executable)

    def _stream(self, path: str) -> Iterator[bytes]:
        with self._reading(path), self.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def _mode(self, path: str) -> int | None:
        """Type and permissions of what lies at a path, links not followed; None for nothing."""
        try:
            return os.lstat(self._host(path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(path, error) from None

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unreadable(path, error) from None

    def _unreadable(self, path: str, error: OSError) -> BaseError:
        reason = error.strerror or str(error)
        return BaseError(f"sysroot {self.root}: {path} cannot be read: {reason}")

    def _host(self, path: str) -> str:
        return f"{self.root}/{path[1:]}"


def _parts(path: str) -> list[str]:
    """A path's parts, last first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
