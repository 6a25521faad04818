"""A layer's tar, read entry by entry, by place in a file: nothing of its contents is held.

USTAR and PAX (POSIX.1-2017, pax), and GNU's long names, sizes and sparse files (GNU tar manual,
"Basic Tar Format"). Python's tarfile reads headers of any size into memory and takes a damaged one
for the archive's end; layers come from others, so here both are errors.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Change", "DamagedTarError", "read_changes"]

BLOCK = 512
MAX_EXTENDED_BYTES = 1 << 20
"""Of a PAX header or a long name: what Go's archive/tar allows."""

TYPES = {
    b"2": stat.S_IFLNK,
    b"3": stat.S_IFCHR,
    b"4": stat.S_IFBLK,
    b"5": stat.S_IFDIR,
    b"6": stat.S_IFIFO,
}
"""All else is a regular file (POSIX: an unknown type is to be taken for one), but for `1`."""


class DamagedTarError(ValueError):
    """What is wrong with the archive; whoever knows its name tells it."""


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of a layer's tar; a file's bytes are `size` at `offset`.

    `hard` is the path that a hard link shares its file with. A sparse file has no `offset`: its
    bytes do not lie in one piece.
    """

    path: str
    mode: int
    target: str = ""
    hard: str | None = None
    offset: int | None = 0
    size: int = 0


def read_changes(handle: int, start: int, end: int) -> Iterator[Change]:
    """The entries of the archive between two places of a file. Raises DamagedTarError."""
    at = start
    shared: dict[str, str] = {}
    extended: dict[str, str] = {}
    while at < end:
        block = os.pread(handle, BLOCK, at)
        if len(block) < BLOCK or at + BLOCK > end:
            raise DamagedTarError("its tar ends in the middle of a header")
        if not block.strip(b"\0"):
            return
        _check(block)
        kind = block[156:157]
        size = _number(block[124:136])
        at += BLOCK
        if kind in b"xgLK":
            if size > MAX_EXTENDED_BYTES:
                raise DamagedTarError(f"its tar has a header of {size} bytes")
            data = os.pread(handle, size, at)
            at = _after(at, size, end)
            if kind == b"g":
                shared |= _records(data)
            elif kind == b"x":
                extended |= _records(data)
            else:
                extended["path" if kind == b"L" else "linkpath"] = _text(data)
            continue
        records = shared | extended
        extended = {}
        if kind in b"123456":  # headers only, whatever they say of a size
            size = 0
        elif "size" in records:
            size = _decimal(records["size"])
        sparse = kind == b"S" or any(key.startswith("GNU.sparse.") for key in records)
        more = kind == b"S" and block[482] == 1
        while more:
            at = _after(at, BLOCK, end)
            more = os.pread(handle, BLOCK, at - BLOCK)[504] == 1
        path = records.get("GNU.sparse.name") or records.get("path") or _name(block)
        mode = stat.S_IMODE(_number(block[100:108]))
        linked = records.get("linkpath") or _text(block[157:257])
        folder = kind == b"\0" and path.endswith("/")  # as tar did before USTAR
        mode |= stat.S_IFDIR if folder else TYPES.get(kind, stat.S_IFREG)
        yield Change(
            path,
            mode,
            target=linked if kind == b"2" else "",
            hard=linked if kind == b"1" else None,
            offset=None if sparse else at,
            size=size,
        )
        at = _after(at, size, end)


def _after(at: int, size: int, end: int) -> int:
    """Where the next header is."""
    after = at + size + -size % BLOCK
    if at + size > end:
        raise DamagedTarError("its tar ends in the middle of a file")
    return after


def _check(block: bytes) -> None:
    """The sum of the header's bytes; old programs took them for signed."""
    told = _number(block[148:156])
    blank = block[:148] + b" " * 8 + block[156:]
    if told != sum(blank) and told != sum(byte - (byte > 127) * 256 for byte in blank):
        raise DamagedTarError("its tar has a damaged header")


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 for what is larger."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40:
            raise DamagedTarError("its tar has a negative size")
        return value
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise DamagedTarError("its tar has a damaged header")
    return int(digits or b"0", 8)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise DamagedTarError("its tar has a damaged PAX header")
    return int(text)


def _name(block: bytes) -> str:
    """The name of USTAR, whose prefix GNU's headers use for other things."""
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    name = _text(block[:100])
    return f"{prefix}/{name}" if prefix else name


def _records(data: bytes) -> dict[str, str]:
    """The records of a PAX header: `LENGTH key=value\\n`, one after the other."""
    found: dict[str, str] = {}
    while data.strip(b"\0"):
        length, blank, _ = data[:20].partition(b" ")
        size = _decimal(length.decode(errors="replace"))
        record = data[len(length) + 1 : size]
        key, equals, value = record.partition(b"=")
        if not (blank and equals and value.endswith(b"\n") and size <= len(data)):
            raise DamagedTarError("its tar has a damaged PAX header")
        found[_text(key)] = value[:-1].decode(errors="surrogateescape")
        data = data[size:]
    return found


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")
