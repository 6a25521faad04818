"""What the tables of a module say: atoms, functions that it calls and gives, behaviours, constants.

Layouts: OTP's `beam_asm` and `beam_dict`. But for `behaviours`, each raises KeyError, IndexError,
struct.error or ValueError for chunks that are not OTP's.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from imagesmith.beam import etf
from imagesmith.beam.term import Atom
from imagesmith.errors import TermError

__all__ = [
    "Chunks",
    "atoms",
    "behaviours",
    "compact",
    "exported",
    "exports",
    "imported",
    "imports",
    "literals",
    "taken",
]

Chunks: TypeAlias = Mapping[bytes, bytes]
"""The contents of a module's chunks, by name, as `beam.module.chunks` gives them."""

MAX_LITERAL_BYTES = 1 << 28
_WORD = struct.Struct(">I")
_TRIPLE = struct.Struct(">3I")


def atoms(found: Chunks) -> list[str]:
    """The atom table. From OTP 28 on the count can be negative: then lengths are compact."""
    data = found[b"AtU8"]
    (count,) = struct.unpack_from(">i", data)
    table, at = [], 4
    for _ in range(abs(count)):
        size, at = (data[at], at + 1) if count >= 0 else compact(data, at)[1:]
        table.append(taken(data, at, size).decode())
        at += size
    return table


def imported(found: Chunks) -> Iterator[tuple[str, str, int]]:
    """What a module calls elsewhere: module, function, arity, in the order of `ImpT`."""
    table = atoms(found)
    for module, function, arity in _triples(found[b"ImpT"]):
        yield table[module - 1], table[function - 1], arity


def exported(found: Chunks) -> Iterator[tuple[str, int]]:
    """What others can call in a module: function, arity."""
    table = atoms(found)
    for function, arity, _label in _triples(found[b"ExpT"]):
        yield table[function - 1], arity


def imports(found: Chunks) -> Iterator[str]:
    """What a module calls elsewhere, each as `module:function/arity`."""
    return (f"{module}:{function}/{arity}" for module, function, arity in imported(found))


def exports(found: Chunks) -> Iterator[str]:
    """What others can call in a module, each as `function/arity`."""
    return (f"{function}/{arity}" for function, arity in exported(found))


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


def literals(found: Chunks) -> Iterator[bytes]:
    """Each literal in the external term format. OTP 28 leaves small tables uncompressed: size 0.

    Raises zlib.error besides.
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
        yield taken(table, at + 4, length)
        at += 4 + length


def compact(data: bytes, at: int) -> tuple[int, int, int]:
    """A compact term's tag and value, and the offset after it (OTP: beam_asm:encode/2)."""
    first = data[at]
    if not first & 0x08:
        return first & 7, first >> 4, at + 1
    if not first & 0x10:
        return first & 7, (first & 0xE0) << 3 | data[at + 1], at + 2
    size = (first >> 5) + 2
    if size > 8:
        raise ValueError("a number that no table holds")
    return first & 7, int.from_bytes(taken(data, at + 1, size), "big"), at + 1 + size


def taken(data: bytes, at: int, size: int) -> bytes:
    """So many bytes from an offset on. Raises ValueError if there are not as many."""
    if at + size > len(data):
        raise ValueError("the chunk is shorter than it says")
    return data[at : at + size]


def _triples(data: bytes) -> Iterator[tuple[int, int, int]]:
    (count,) = _WORD.unpack_from(data)
    for number in range(count):
        yield _TRIPLE.unpack_from(data, 4 + 12 * number)
