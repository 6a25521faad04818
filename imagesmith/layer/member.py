"""What a layer holds: files, symbolic links and folders, as the image will have them.

Owner, group and times are no matter of a member: they are the same in every layer (see `tar`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["Content", "FileMember", "FolderMember", "LinkMember", "Member", "parents"]


HEAD_BYTES = 4
"""As many as tell an ELF file, a script, and programs for other systems."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes: their SHA-256 (hex), their number, and a way to read them again.

    `head` are the first HEAD_BYTES: what kind of file it is shows without another reading.
    """

    sha256: str
    size: int
    stream: Callable[[], Iterable[bytes]] = field(compare=False, repr=False)
    head: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def of(cls, stream: Callable[[], Iterable[bytes]]) -> Content:
        """Read `stream` once, to know its digest and size."""
        digest, size, head = hashlib.sha256(), 0, b""
        for chunk in stream():
            digest.update(chunk)
            size += len(chunk)
            if len(head) < HEAD_BYTES:
                head = (head + chunk[:HEAD_BYTES])[:HEAD_BYTES]
        return cls(digest.hexdigest(), size, stream, head)

    @classmethod
    def of_bytes(cls, data: bytes) -> Content:
        """A content that is at hand."""
        digest = hashlib.sha256(data).hexdigest()
        return cls(digest, len(data), lambda: (data,), data[:HEAD_BYTES])

    def read(self) -> bytes:
        """All of it, for what is known to be small."""
        return b"".join(self.stream())


@dataclass(frozen=True, slots=True)
class FileMember:
    """A regular file; its mode is 0755 or 0644, by whether it can be executed."""

    path: str
    content: Content
    executable: bool = False


@dataclass(frozen=True, slots=True)
class LinkMember:
    """A symbolic link, with its target as written."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class FolderMember:
    """A folder that must be there although nothing is in it, or with a mode or owner of its own.

    `owner` is `(uid, gid)`; all else in a layer is root's.
    """

    path: str
    mode: int = 0o755
    owner: tuple[int, int] = (0, 0)


Member = FileMember | LinkMember | FolderMember


def parents(paths: Iterable[str]) -> Iterator[str]:
    """Every folder above `paths`, once each, sorted by path bytes."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    yield from sorted(found, key=str.encode)
