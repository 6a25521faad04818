"""A sysroot: a Linux system's files, from which the minimal base takes what a release needs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from imagesmith.beam.tree import CHUNK_BYTES
from imagesmith.errors import BaseError
from imagesmith.layer.member import Content, FileMember, LinkMember, Member

__all__ = ["Sysroot"]

MAX_LINK_HOPS = 40


class Sysroot:
    """A folder that holds a system. Paths are absolute, links are followed inside of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if not root.is_dir():
            raise BaseError(
                f"sysroot {root}: there is no such folder",
                hint="Name the root of a Linux system, such as / or an unpacked rootfs.",
            )

    def resolve(self, path: str) -> tuple[str, list[LinkMember]] | None:
        """The path behind all links, and the links on the way; None if nothing is there."""
        todo = list(reversed(PurePosixPath(path).parts[1:]))
        at = PurePosixPath("/")
        links: list[LinkMember] = []
        while todo:
            part = todo.pop()
            if part == "..":
                at = at.parent
                continue
            here = self._host(at / part)
            if here.is_symlink():
                target = os.readlink(here)
                links.append(LinkMember(str(at / part)[1:], target))
                if len(links) > MAX_LINK_HOPS:
                    return None
                if target.startswith("/"):
                    at = PurePosixPath("/")
                todo.extend(reversed([p for p in PurePosixPath(target).parts if p != "/"]))
            elif here.exists():
                at /= part
            else:
                return None
        return str(at), links

    def open(self, path: str) -> BinaryIO:
        """A file, by its path behind all links. Raises BaseError."""
        try:
            return self._host(PurePosixPath(path)).open("rb")
        except OSError as error:
            raise BaseError(f"sysroot {self.root}: {path}: {error.strerror}") from None

    def text(self, path: str) -> str | None:
        """A text file, links followed; None where there is none."""
        found = self.resolve(path)
        if found is None or not self._host(PurePosixPath(found[0])).is_file():
            return None
        with self.open(found[0]) as file:
            return file.read().decode(errors="replace")

    def members(self, path: str) -> list[Member] | None:
        """A file with all links that lead to it, as they are here; None if it is not there."""
        found = self.resolve(path)
        if found is None or not self._host(PurePosixPath(found[0])).is_file():
            return None
        real, links = found
        mode = self._host(PurePosixPath(real)).stat().st_mode
        executable = bool(mode & stat.S_IXUSR)
        content = Content.of(partial(self._stream, real))
        return [*links, FileMember(real[1:], content, executable)]

    def below(self, path: str, skip: Iterable[str] = ()) -> Iterator[Member]:
        """Every file and link in a folder, but not in its children named in `skip`."""
        found = self.resolve(path)
        if found is None:
            return
        top = self._host(PurePosixPath(found[0]))
        for folder, folders, files in os.walk(top):
            if Path(folder) == top:
                folders[:] = [name for name in folders if name not in skip]
            place = Path(folder).relative_to(self.root)
            for name in sorted([*files, *folders]):
                if name in folders and not (Path(folder) / name).is_symlink():
                    continue
                if (Path(folder) / name).is_symlink():
                    yield LinkMember(str(place / name), os.readlink(Path(folder) / name))
                else:
                    content = Content.of(partial(self._stream, f"/{place / name}"))
                    yield FileMember(str(place / name), content)

    def names(self, path: str) -> list[str]:
        """The names in a folder; none if it is not there."""
        found = self.resolve(path)
        if found is None or not self._host(PurePosixPath(found[0])).is_dir():
            return []
        return sorted(child.name for child in self._host(PurePosixPath(found[0])).iterdir())

    def _stream(self, path: str) -> Iterator[bytes]:
        with self.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def _host(self, path: PurePosixPath) -> Path:
        return self.root / str(path)[1:]
