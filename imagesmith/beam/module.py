"""A BEAM module file: its chunks, its canonical form, its md5.

A `.beam` file is an IFF form: `FOR1`, a size (32 bits, big endian), `BEAM`, then chunks, each a
four-byte name, a size, the data, and zeros up to the next multiple of four (OTP: `beam_lib`,
`beam_asm:build_file/4`).

The canonical form is what is left when everything that the VM does not execute, and that two
builds of the same code do not share, is taken out. It is what imagesmith ships, and what it
hashes: equal keys are equal bytes. `beam_lib:md5/1` would not do as a key: it leaves out `Line`
(where a stack trace points), `Attr`, and `Type`, from which the JIT drops overflow checks.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Collection

from imagesmith.beam import etf
from imagesmith.errors import ModuleError, TermError

__all__ = ["KEEPABLE", "SCHEME", "canonical", "chunks", "md5"]

SCHEME = "imagesmith-beam-1"
"""Names the rules of this file; a change of them is a change of this name."""

ORDER = (
    *(b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT", b"FunT"),
    *(b"LitT", b"Meta", b"Attr", b"Type", b"Line"),
)
REQUIRED = frozenset({b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT"})

KEEPABLE = frozenset({b"Dbgi", b"Docs", b"ExCk"})
"""Chunks for people and tools (debugger, shell help, type checker): a release may keep them."""

# For the compiler, the debugger and the documentation, or about the place of the build.
DROPPED = KEEPABLE | {b"LocT", b"CInf", b"Abst", b"ExDc", b"ExDp"}

# The order is beam_lib:md5_chunks/0 (OTP 25); beam_lib hashes the chunks in this order.
MD5_CHUNKS = (
    *(b"Atom", b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT"),
    *(b"FunT", b"LitT", b"Meta"),
)

GZIP_MAGIC = b"\x1f\x8b"
MAX_MODULE_BYTES = 1 << 28
_HEADER = struct.Struct(">4sI")
_PADDING = (b"", bytes(1), bytes(2), bytes(3))


class _Deviation(Exception):
    """Not a module as OTP's compiler writes it, so nothing in it may be moved."""


def canonical(data: bytes, keep: Collection[bytes] = ()) -> bytes:
    """The canonical form of a module file; `keep` names chunks of KEEPABLE to leave in.

    A file that deviates from what OTP writes in any way is its own canonical form: what we do not
    understand, we do not touch. Raises ModuleError for a file that is empty, cut short, or damaged
    in its compression, since no VM could load it.
    """
    try:
        plain = _plain(data)
        form = memoryview(plain)  # whose slices are no copies
        found: dict[bytes, bytes | memoryview] = {
            name: form[at] for name, at in _parse(plain).items()
        }
        if not found.keys() >= REQUIRED:
            raise _Deviation
        if b"Attr" in found:
            found[b"Attr"] = _without_build_paths(bytes(found[b"Attr"]))
    except _Deviation:
        return data
    dropped = DROPPED - KEEPABLE.intersection(keep)
    names = [name for name in ORDER if name in found]
    names += sorted(name for name in found.keys() - set(ORDER) if name not in dropped)
    parts: list[bytes | memoryview] = [b"BEAM"]
    for name in names:
        content = found[name]
        parts += (_HEADER.pack(name, len(content)), content, _PADDING[-len(content) % 4])
    return b"".join((_HEADER.pack(b"FOR1", sum(map(len, parts))), *parts))


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Every chunk of a module file by name, in file order; empty if it is no such file.

    Raises ModuleError as `canonical` does.
    """
    try:
        form = _plain(data)
        return {name: form[at] for name, at in _parse(form).items()}
    except _Deviation:
        return {}


def md5(data: bytes) -> bytes:
    """The module's md5 (16 bytes) as `beam_lib:md5/1` gives it.

    Raises ModuleError if the file has no code.
    """
    found = chunks(data)
    if b"Code" not in found:
        raise ModuleError("not a module: it has no code")
    digest = hashlib.md5(usedforsecurity=False)
    for name in MD5_CHUNKS:
        content = found.get(name, b"")
        digest.update(_without_old_uniq(content) if name == b"FunT" else content)
    return digest.digest()


def _plain(data: bytes) -> bytes:
    """The form itself, gunzipped where mix's `strip_beams` has compressed it."""
    if not data:
        raise ModuleError("the file is empty")
    if data == GZIP_MAGIC[:1]:
        raise ModuleError("it is cut short after 1 byte")
    if not data.startswith(GZIP_MAGIC):
        return data
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(data, MAX_MODULE_BYTES + 1)
    except zlib.error as error:
        raise ModuleError(f"its gzip compression is damaged ({error})") from None
    if len(plain) > MAX_MODULE_BYTES:
        raise ModuleError(f"it decompresses to more than {MAX_MODULE_BYTES >> 20} MiB")
    if not inflate.eof:
        raise ModuleError(f"its gzip compression is cut short after {len(data)} bytes")
    if inflate.unused_data:
        raise _Deviation
    return plain


def _parse(form: bytes) -> dict[bytes, slice]:
    """Where each chunk's content lies."""
    if len(form) < 12:
        if b"FOR1".startswith(form[:4]):
            raise ModuleError(f"it is cut short: {len(form)} bytes, less than a header")
        raise _Deviation
    magic, size = _HEADER.unpack_from(form)
    if magic != b"FOR1" or form[8:12] != b"BEAM":
        raise _Deviation
    if size + 8 > len(form):
        raise ModuleError(f"it is cut short: {len(form)} bytes of {size + 8}")
    if size + 8 < len(form):
        raise _Deviation
    found: dict[bytes, slice] = {}
    at, end = 12, len(form)
    while at < end:
        if at + 8 > end:
            raise _Deviation
        name, size = _HEADER.unpack_from(form, at)
        stop = at + 8 + size
        following = stop + -size % 4
        if name in found or following > end or form[stop:following] != _PADDING[following - stop]:
            raise _Deviation
        found[name] = slice(at + 8, stop)
        at = following
    return found


def _without_build_paths(attributes: bytes) -> bytes:
    """The `Attr` chunk without `external_resource`, which holds absolute paths of the build.

    `Attr` is a list of `{Key, Values}` in the external term format. Elements are cut out of the
    bytes, and nothing is encoded anew: whatever else the compiler wrote stays as it wrote it.
    """
    if b"external_resource" not in attributes:
        return attributes
    if len(attributes) < 7 or attributes[:2] != b"\x83\x6c":
        raise _Deviation
    count = int.from_bytes(attributes[2:6], "big")
    kept: list[bytes] = []
    at = 6
    try:
        for _ in range(count):
            stop = etf.skip(attributes, at)
            if not _is_build_path(attributes[at:stop]):
                kept.append(attributes[at:stop])
            at = stop
    except TermError:
        raise _Deviation from None
    if attributes[at:] != b"\x6a":
        raise _Deviation
    if not kept:
        return b"\x83\x6a"
    return b"\x83\x6c" + len(kept).to_bytes(4, "big") + b"".join(kept) + b"\x6a"


def _is_build_path(element: bytes) -> bool:
    name = b"external_resource"
    size = len(name)
    # A pair whose first element is the atom, in one of the four encodings an atom can have.
    return element.startswith(
        (
            b"\x68\x02\x77" + bytes([size]) + name,
            b"\x68\x02\x73" + bytes([size]) + name,
            b"\x68\x02\x64" + size.to_bytes(2, "big") + name,
            b"\x68\x02\x76" + size.to_bytes(2, "big") + name,
        )
    )


def _without_old_uniq(funs: bytes) -> bytes:
    """`FunT` with each entry's OldUniq zeroed (beam_lib:filter_funtab/1): 24 bytes an entry."""
    entries = bytearray(funs)
    for at in range(4, len(funs) - 23, 24):
        entries[at + 20 : at + 24] = bytes(4)
    return bytes(entries)
