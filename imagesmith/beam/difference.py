"""Two files of one module, chunk by chunk: which differ, and what the cheap ones say of it.

Layouts of the chunks: OTP's `beam_lib` and `beam_asm`, `beam_dict`. What a chunk does not let us
read for certain is told as changed, and no more.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from imagesmith.beam import etf
from imagesmith.beam.module import chunks
from imagesmith.beam.tables import Chunks, atoms, compact, exports, imports, literals, taken
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError, TermError

__all__ = ["ChunkDifference", "compare_modules"]

_WORD = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class ChunkDifference:
    """A chunk that only one file has, or that differs.

    `removed` and `added` are words on what the chunk lost and won: atoms of `AtU8`, functions of
    `ImpT` and `ExpT`, keys of `Attr` (but for a `vsn` of the compiler's own making), file names of
    `Line`, the version of `Type`, and of `LitT` the types of the terms, since a literal can be a
    secret. Both are empty where the chunk says nothing that can be read cheaply, as `Code` does.
    """

    name: str
    in_before: bool
    in_after: bool
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def compare_modules(before: bytes, after: bytes) -> tuple[ChunkDifference, ...] | None:
    """The chunks in which two files differ, by name; none if only the container around them does.

    None where one of the two is not as OTP writes a module, so that it has no chunks to us.
    """
    try:
        old, new = chunks(before), chunks(after)
    except ModuleError:
        return None
    if not old or not new:
        return None
    return tuple(
        _difference(name, old, new)
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _difference(name: bytes, old: Chunks, new: Chunks) -> ChunkDifference:
    in_before, in_after = name in old, name in new
    removed: Counter[str] = Counter()
    added: Counter[str] = Counter()
    read = READERS.get(name)
    if read and in_before and in_after:
        try:
            before, after = Counter(read(old)), Counter(read(new))
        except (struct.error, KeyError, IndexError, ValueError, TermError, zlib.error):
            before = after = Counter()
        removed, added = before - after, after - before
    word = _counted if name == b"LitT" else _plain
    text = name.decode("latin-1")
    return ChunkDifference(text, in_before, in_after, word(removed), word(added))


def _plain(found: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(item.partition("\0")[0] for item in found))


def _counted(found: Counter[str]) -> tuple[str, ...]:
    kinds: Counter[str] = Counter()
    for item, count in found.items():
        kinds[item.partition("\0")[0]] += count
    return tuple(kind if n == 1 else f"{kind} ×{n}" for kind, n in sorted(kinds.items()))


def _literal_kinds(found: Chunks) -> Iterator[str]:
    """Each literal as its type and its bytes."""
    for term in literals(found):
        yield f"{_kind(term)}\0{hashlib.sha256(term).hexdigest()}"


def _kind(term: bytes) -> str:
    """By the tag after the version byte: to decode a table of Unicode's takes its time."""
    return KINDS.get(term[1], "other term") if len(term) > 1 else "other term"


KINDS = {
    **dict.fromkeys((70, 97, 98, 99, 110, 111), "number"),
    **dict.fromkeys((77, 109), "binary"),
    **dict.fromkeys((100, 115, 118, 119), "atom"),
    **dict.fromkeys((104, 105), "tuple"),
    **dict.fromkeys((106, 107, 108), "list"),
    116: "map",
}
"""What the tags of the external term format stand for (ERTS User's Guide)."""


def _attributes(found: Chunks) -> Iterator[str]:
    """Each attribute, but a `vsn` that the compiler made.

    That is the module's md5 as a number (OTP: beam_asm), and follows from the code.
    """
    pairs = etf.decode(found[b"Attr"])
    for pair in pairs if isinstance(pairs, list) else ():
        match pair:
            case (key, [int() as number]) if key == Atom("vsn") and number.bit_length() > 64:
                continue
            case (Atom() as key, value):
                yield f"{key}\0{etf.encode(value).hex()}"


def _line_files(found: Chunks) -> Iterator[str]:
    """The file names of `Line`, which stand after its lines (OTP: beam_asm:build_line_table/1)."""
    data = found[b"Line"]
    _version, _flags, _instructions, lines, names = struct.unpack_from(">5I", data)
    at = 20
    while lines:
        tag, _, at = compact(data, at)
        lines -= tag == _INTEGER  # an atom before it tells of another file
    for _ in range(names):
        size = int.from_bytes(taken(data, at, 2), "big")
        yield taken(data, at + 2, size).decode("utf-8", "replace")
        at += 2 + size


_INTEGER = 1


def _type_version(found: Chunks) -> Iterator[str]:
    """Each OTP that changes what types mean raises it (OTP: beam_types.hrl)."""
    yield f"version {_WORD.unpack_from(found[b'Type'])[0]}"


READERS: Mapping[bytes, Callable[[Chunks], Iterable[str]]] = {
    b"AtU8": atoms,
    b"ImpT": imports,
    b"ExpT": exports,
    b"LitT": _literal_kinds,
    b"Attr": _attributes,
    b"Line": _line_files,
    b"Type": _type_version,
}
