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
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError, TermError

__all__ = [
    "ChunkDifference",
    "atoms",
    "behaviours",
    "compare_modules",
    "exports",
    "imports",
    "literals",
]

MAX_LITERAL_BYTES = 1 << 28
_WORD = struct.Struct(">I")
_TRIPLE = struct.Struct(">3I")

Chunks = Mapping[bytes, bytes]


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


def atoms(found: Chunks) -> list[str]:
    """The atom table. From OTP 28 on the count can be negative: then lengths are compact.

    Raises KeyError, IndexError, struct.error or ValueError for chunks that are not OTP's.
    """
    data = found[b"AtU8"]
    (count,) = struct.unpack_from(">i", data)
    table, at = [], 4
    for _ in range(abs(count)):
        size, at = (data[at], at + 1) if count >= 0 else _compact(data, at)[1:]
        table.append(_taken(data, at, size).decode())
        at += size
    return table


def imports(found: Chunks) -> Iterator[str]:
    """What a module calls elsewhere, each as `module:function/arity`.

    Raises as `atoms`.
    """
    table = atoms(found)
    for module, function, arity in _triples(found[b"ImpT"]):
        yield f"{table[module - 1]}:{table[function - 1]}/{arity}"


def exports(found: Chunks) -> Iterator[str]:
    """What others can call in a module, each as `function/arity`. Raises as `atoms`."""
    table = atoms(found)
    for function, arity, _label in _triples(found[b"ExpT"]):
        yield f"{table[function - 1]}/{arity}"


def behaviours(found: Chunks) -> Iterator[str]:
    """What `-behaviour` and Elixir's `@behaviour` say; nothing where attributes are not OTP's."""
    try:
        pairs = etf.decode(found.get(b"Attr", b""))
    except TermError:
        return
    for pair in pairs if isinstance(pairs, list) else ():
        match pair:
            case (Atom() as key, list(names)) if str(key) in ("behaviour", "behavior"):
                yield from (str(name) for name in names if isinstance(name, Atom))


def _triples(data: bytes) -> Iterator[tuple[int, int, int]]:
    (count,) = _WORD.unpack_from(data)
    for number in range(count):
        yield _TRIPLE.unpack_from(data, 4 + 12 * number)


def literals(found: Chunks) -> Iterator[bytes]:
    """Each literal in the external term format. OTP 28 leaves small tables uncompressed: size 0.

    Raises as `atoms`, or zlib.error.
    """
    data = found[b"LitT"]
    (size,) = _WORD.unpack_from(data)
    if size > MAX_LITERAL_BYTES:
        raise ValueError("more literals than any module has")
    table = zlib.decompressobj().decompress(data[4:], size) if size else data[4:]
    (count,) = _WORD.unpack_from(table)
    at = 4
    for _ in range(count):
        (length,) = _WORD.unpack_from(table, at)
        yield _taken(table, at + 4, length)
        at += 4 + length


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
        tag, _, at = _compact(data, at)
        lines -= tag == _INTEGER  # an atom before it tells of another file
    for _ in range(names):
        size = int.from_bytes(_taken(data, at, 2), "big")
        yield _taken(data, at + 2, size).decode("utf-8", "replace")
        at += 2 + size


_INTEGER = 1


def _compact(data: bytes, at: int) -> tuple[int, int, int]:
    """A compact term's tag and value, and the offset after it (OTP: beam_asm:encode/2)."""
    first = data[at]
    if not first & 0x08:
        return first & 7, first >> 4, at + 1
    if not first & 0x10:
        return first & 7, (first & 0xE0) << 3 | data[at + 1], at + 2
    size = (first >> 5) + 2
    if size > 8:
        raise ValueError("a number that no table holds")
    return first & 7, int.from_bytes(_taken(data, at + 1, size), "big"), at + 1 + size


def _type_version(found: Chunks) -> Iterator[str]:
    """Each OTP that changes what types mean raises it (OTP: beam_types.hrl)."""
    yield f"version {_WORD.unpack_from(found[b'Type'])[0]}"


def _taken(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise ValueError("the chunk is shorter than it says")
    return data[at : at + size]


READERS: Mapping[bytes, Callable[[Chunks], Iterable[str]]] = {
    b"AtU8": atoms,
    b"ImpT": imports,
    b"ExpT": exports,
    b"LitT": _literal_kinds,
    b"Attr": _attributes,
    b"Line": _line_files,
    b"Type": _type_version,
}
