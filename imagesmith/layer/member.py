"""What a layer holds: files, symbolic links and folders, as the image will have them.

Owner, group and times are no matter of a member: they are the same in every layer (see `tar`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["Content", "FileMember", "FolderMember", "LinkMember", "Member", "parents"]


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes: their SHA-256 (hex), their number, and a way to read them again."""

    sha256: str
    size: int
    stream: Callable[[], Iterable[bytes]] = field(compare=False, repr=False)

    @classmethod
    def of(cls, stream: Callable[[], Iterable[bytes]]) -> Content:
        """Read `stream` once, to know its digest and size."""
        digest, size = hashlib.sha256(), 0
        for chunk in stream():
            digest.update(chunk)
            size += len(chunk)
        return cls(digest.hexdigest(), size, stream)

    @classmethod
    def of_bytes(cls, data: bytes) -> Content:
        """A content that is at hand."""
        return cls(hashlib.sha256(data).hexdigest(), len(data), lambda: (data,))

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
    found = {path[:at] for path in paths for at, character in enumerate(path) if character == "/"}
    yield from sorted(found, key=str.encode)
