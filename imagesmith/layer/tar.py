"""The one writer of tar archives: the same members always give the same bytes.

USTAR (POSIX.1-2017, pax, "ustar Interchange Format"), with a PAX header only where USTAR cannot:
a path that is too long or not ASCII, a file of 8 GiB or more. Members are sorted by path bytes;
every parent folder is written, alike in every layer, since an extractor that has to invent one
would give it a time and a mode of its own choice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from imagesmith.errors import ReleaseError
from imagesmith.layer.member import FileMember, FolderMember, LinkMember, Member, parents
from imagesmith.oci.spec import EPOCH

__all__ = ["OWNER", "WRITER", "members_in_order", "tar"]

WRITER = "imagesmith-tar-1"
"""Names the rules of this file; part of every layer's key."""

OWNER = "0:0"
"""Files belong to root: the user that runs the release cannot change its code."""

ROOT = (0, 0)
BLOCK = 512
RECORD = 20 * BLOCK
_PRIV_MTIME_BITS = 28  # 2^28 s are 8.5 years: such times lie between 1980 and 1988


def tar(members: Iterable[Member], prefix: str = "") -> Iterator[bytes]:
    """The archive of `members`, in pieces, their paths under the folder `prefix`.

    Raises ReleaseError if a file's bytes are no longer those that its digest was taken of.
    """
    size = 0
    for chunk in _archive(members, prefix):
        size += len(chunk)
        yield chunk
    yield bytes(2 * BLOCK + -(size + 2 * BLOCK) % RECORD)


def members_in_order(members: Iterable[Member], prefix: str = "") -> list[Member]:
    """The members with all their parent folders, sorted by path bytes, prefix included."""
    found: dict[str, Member] = {}
    for member in members:
        found[f"{prefix}/{member.path}" if prefix else member.path] = member
    folders = {path: FolderMember(path) for path in parents(found) if path not in found}
    every = {path: _at(path, member) for path, member in found.items()} | folders
    return [every[path] for path in sorted(every, key=str.encode)]


def _at(path: str, member: Member) -> Member:
    match member:
        case FileMember(_, content, executable):
            return FileMember(path, content, executable)
        case LinkMember(_, target):
            return LinkMember(path, target)
        case _:
            return FolderMember(path, member.mode, member.owner)


def _archive(members: Iterable[Member], prefix: str) -> Iterator[bytes]:
    for member in members_in_order(members, prefix):
        match member:
            case FileMember(path, content, executable):
                mode = 0o755 if executable else 0o644
                yield _header(path, mode, b"0", size=content.size, mtime=_mtime(member))
                yield from _checked(member)
                yield bytes(-content.size % BLOCK)
            case LinkMember(path, target):
                yield _header(path, 0o777, b"2", target=target)
            case _:
                yield _header(f"{member.path}/", member.mode, b"5", owner=member.owner)


def _mtime(member: FileMember) -> int:
    """A constant, but for files under `priv/`, where it follows from the content.

    Plug.Static makes its default ETag of size and time (plug: lib/plug/static.ex): with one time
    for all, a browser would be told 304 of a changed file that has kept its size.
    """
    if "/priv/" not in f"/{member.path}":
        return EPOCH
    return EPOCH + (int(member.content.sha256[:8], 16) >> (32 - _PRIV_MTIME_BITS))


def _checked(member: FileMember) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for chunk in member.content.stream():
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != member.content.sha256:
        raise ReleaseError(
            f"{member.path} was changed while it was being read",
            hint="Let the release alone while it is built into an image, then build again.",
        )


def _header(
    path: str,
    mode: int,
    kind: bytes,
    *,
    size: int = 0,
    mtime: int = EPOCH,
    target: str = "",
    owner: tuple[int, int] = ROOT,
) -> bytes:
    """A member's header block, with a PAX header before it where it is needed."""
    name, link = path.encode(), target.encode()
    records: dict[str, str] = {}
    split = _split(name)
    if split is None or not name.isascii():
        records["path"] = path
        split = (b"", _ascii(name)[:100])
    if len(link) > 100 or not link.isascii():
        records["linkpath"] = target
        link = _ascii(link)[:100]
    if size >= 8**11:
        records["size"] = str(size)
        size = 0
    block = _block(split, (mode, *owner), kind, size, mtime, link)
    if not records:
        return block
    extended = b"".join(_record(key, value) for key, value in sorted(records.items()))
    return (
        _block(
            (b"", b"PaxHeaders/" + split[1][:80]), (0o644, *ROOT), b"x", len(extended), EPOCH, b""
        )
        + extended
        + bytes(-len(extended) % BLOCK)
        + block
    )


def _split(path: bytes) -> tuple[bytes, bytes] | None:
    """The path as USTAR's prefix (155 bytes) and name (100), cut at a slash, if it fits."""
    if len(path) <= 100:
        return b"", path
    # A folder's name ends in a slash, which is no place to cut.
    at = path.rfind(b"/", 0, min(156, len(path) - 1))
    return (path[:at], path[at + 1 :]) if at > 0 and len(path) - at - 1 <= 100 else None


def _block(
    path: tuple[bytes, bytes],
    mode: tuple[int, int, int],
    kind: bytes,
    size: int,
    mtime: int,
    link: bytes,
) -> bytes:
    """`mode` with user and group id."""
    prefix, name = path
    fields = (
        name.ljust(100, b"\0"),
        *(b"%07o\0" % number for number in mode),
        *(b"%011o\0" % number for number in (size, mtime)),
        b" " * 8,
        kind,
        link.ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(32),  # user name: none, the ids say it
        bytes(32),
        *(b"%07o\0" % number for number in (0, 0)),
        prefix.ljust(155, b"\0"),
        bytes(12),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: str, value: str) -> bytes:
    """One record of a PAX header: `LENGTH key=value\\n`, its own length included."""
    body = b" " + key.encode() + b"=" + value.encode() + b"\n"
    length = len(body) + len(str(len(body)))
    return str(len(body) + len(str(length))).encode() + body


def _ascii(name: bytes) -> bytes:
    return name.decode().encode("ascii", "replace")
