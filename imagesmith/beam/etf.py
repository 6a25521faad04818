"""The external term format: terms as bytes, in `.boot` files and in the chunks of `.beam` files.

Source of every tag and layout: ERTS User's Guide, "External Term Format". We know the tags of terms
that can stand in a file; a process, a port, a reference or a closure means something only to the
node that made it, and is refused by name.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Sequence
from enum import IntEnum
from itertools import chain
from operator import itemgetter

from imagesmith.beam.term import (
    MAX_DEPTH,
    Atom,
    BitString,
    ExternalFun,
    ImproperList,
    Map,
    Term,
    cons,
)
from imagesmith.errors import TermError

__all__ = ["MAX_INFLATED", "decode", "encode", "skip"]

MAX_INFLATED = 16 * 1024 * 1024
"""How large a compressed term may become: a kilobyte of zlib can unfold into a megabyte."""

_VERSION = 131


class _Tag(IntEnum):
    COMPRESSED = 80
    NEW_FLOAT_EXT = 70
    BIT_BINARY_EXT = 77
    SMALL_INTEGER_EXT = 97
    INTEGER_EXT = 98
    FLOAT_EXT = 99
    ATOM_EXT = 100
    SMALL_TUPLE_EXT = 104
    LARGE_TUPLE_EXT = 105
    NIL_EXT = 106
    STRING_EXT = 107
    LIST_EXT = 108
    BINARY_EXT = 109
    SMALL_BIG_EXT = 110
    LARGE_BIG_EXT = 111
    EXPORT_EXT = 113
    SMALL_ATOM_EXT = 115
    MAP_EXT = 116
    ATOM_UTF8_EXT = 118
    SMALL_ATOM_UTF8_EXT = 119

    # What means something only to the node that made it; here for its name in errors.
    ATOM_CACHE_REF = 82
    NEW_PID_EXT = 88
    NEW_PORT_EXT = 89
    NEWER_REFERENCE_EXT = 90
    REFERENCE_EXT = 101
    PORT_EXT = 102
    PID_EXT = 103
    NEW_FUN_EXT = 112
    NEW_REFERENCE_EXT = 114
    FUN_EXT = 117
    V4_PORT_EXT = 120
    LOCAL_EXT = 121


def _name(tag: int) -> str:
    return f"{_Tag(tag).name} ({tag})" if tag in set(_Tag) else f"tag {tag}"


def decode(data: bytes | memoryview) -> Term:
    """The term in `data`, which starts with the version byte 131 and ends with the term.

    Raises TermError, with the offset, for anything else; `binary_to_term/1` would overlook bytes
    after the term.
    """
    data = bytes(data)
    if data[:1] != bytes([_VERSION]):
        found = f"byte {data[0]}" if data else "no bytes"
        raise TermError(f"offset 0: found {found}, expected the version byte {_VERSION}")
    data = data[1:]
    if data[:1] == bytes([_Tag.COMPRESSED]):
        data = _inflate(data[1:])
    reader = _Reader(data)
    term = reader.term(MAX_DEPTH)
    if reader.at != len(data):
        raise reader.error(f"{len(data) - reader.at} more bytes", "the end of the term")
    return term


def _inflate(data: bytes) -> bytes:
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 or size > MAX_INFLATED:
        raise TermError(f"offset 2: found a compressed term of {size} bytes, the limit is 16 MiB")
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data[4:], size + 1)
    except zlib.error as error:
        raise TermError(f"offset 6: found no zlib data ({error})") from None
    if len(plain) != size or not inflater.eof or inflater.unused_data:
        raise TermError(f"offset 6: found other zlib data than the {size} bytes it promised")
    return plain


class _Reader:
    """Reads one term after another; `at` is the offset of the next byte, without the version's."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def error(self, found: str, expected: str) -> TermError:
        return TermError(f"offset {self.at + 1}: found {found}, expected {expected}")

    def take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        if len(taken) < size:
            raise self.error(f"{len(taken)} more bytes", f"{size}")
        self.at += size
        return taken

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "big", signed=signed)

    def count(self, size: int, each: int = 1) -> int:
        """How many terms follow: a term has at least one byte, so a lie is seen before any work."""
        count = self.number(size)
        if count * each > len(self.data) - self.at:
            raise self.error(f"a length of {count}", "no more than there are bytes")
        return count

    def terms(self, count: int, depth: int) -> list[Term]:
        return [self.term(depth) for _ in range(count)]

    def term(self, depth: int) -> Term:
        """The next term; `depth` is how deep it may still nest."""
        if not depth:
            raise self.error(f"terms nested more than {MAX_DEPTH} deep", "fewer")
        match tag := self.take(1)[0]:
            case _Tag.SMALL_INTEGER_EXT:
                return self.number(1)
            case _Tag.INTEGER_EXT:
                return self.number(4, signed=True)
            case _Tag.SMALL_BIG_EXT:
                return self.big(self.number(1))
            case _Tag.LARGE_BIG_EXT:
                return self.big(self.number(4))
            case _Tag.NEW_FLOAT_EXT:
                return self.finite(struct.unpack(">d", self.take(8))[0])
            case _Tag.FLOAT_EXT:
                return self.printed(self.take(31))
            case _Tag.ATOM_EXT:
                return self.atom(self.number(2), "latin-1")
            case _Tag.SMALL_ATOM_EXT:
                return self.atom(self.number(1), "latin-1")
            case _Tag.ATOM_UTF8_EXT:
                return self.atom(self.number(2), "utf-8")
            case _Tag.SMALL_ATOM_UTF8_EXT:
                return self.atom(self.number(1), "utf-8")
            case _Tag.SMALL_TUPLE_EXT:
                return tuple(self.terms(self.count(1), depth - 1))
            case _Tag.LARGE_TUPLE_EXT:
                return tuple(self.terms(self.count(4), depth - 1))
            case _Tag.NIL_EXT:
                return []
            case _Tag.STRING_EXT:
                return self.take(self.number(2)).decode("latin-1") or []
            case _Tag.LIST_EXT:
                return cons(self.terms(self.count(4), depth - 1), self.term(depth - 1))
            case _Tag.BINARY_EXT:
                return self.take(self.number(4))
            case _Tag.BIT_BINARY_EXT:
                return self.bits(self.number(4), self.number(1))
            case _Tag.MAP_EXT:
                return self.pairs(self.terms(2 * self.count(4, 2), depth - 1))
            case _Tag.EXPORT_EXT:
                return self.fun(self.terms(3, 1))
            case _:
                self.at -= 1
                raise self.error(_name(tag), "a term's tag")

    def big(self, size: int) -> int:
        negative = self.number(1)
        value = int.from_bytes(self.take(size), "little")
        return -value if negative else value

    def finite(self, value: float) -> float:
        # Erlang has neither infinity nor NaN: binary_to_term/1 refuses them too.
        if not math.isfinite(value):
            raise self.error(str(value), "a finite float")
        return value

    def printed(self, digits: bytes) -> float:
        if not re.fullmatch(rb" *[+-]?[0-9]+\.[0-9]+([eE][+-]?[0-9]+)?\0*", digits):
            raise self.error(repr(digits), "a float as printf's %.20e writes it")
        return self.finite(float(digits.rstrip(b"\0")))

    def atom(self, size: int, encoding: str) -> Atom:
        name = self.take(size)
        try:
            atom = Atom(name, encoding)
        except UnicodeDecodeError:
            raise self.error(repr(name), "an atom in UTF-8") from None
        if len(atom) > 255:
            raise self.error(f"an atom of {len(atom)} characters", "at most 255")
        return atom

    def bits(self, size: int, bits: int) -> Term:
        if not (1 <= bits <= 8 if size else bits == 0):
            raise self.error(f"{bits} bits in the last of {size} bytes", "1 to 8")
        data = self.take(size)
        if bits in (0, 8):
            return data
        unused = 8 - bits
        return BitString(data[:-1] + bytes([data[-1] >> unused << unused]), bits)

    def pairs(self, flat: list[Term]) -> Map:
        keys = flat[::2]
        if len({encode(key) for key in keys}) < len(keys):
            raise self.error("a map with a key twice", "every key once")
        return Map(tuple(zip(keys, flat[1::2], strict=True)))

    def fun(self, parts: list[Term]) -> ExternalFun:
        match parts:
            case [Atom() as module, Atom() as function, int(arity)] if 0 <= arity <= 255:
                return ExternalFun(module, function, arity)
        raise self.error("another EXPORT_EXT", "module, function and arity")


def encode(term: Term) -> bytes:
    """The term as `term_to_binary/2` of OTP 26 and later writes it (minor_version 2: UTF-8 atoms).

    Equal terms have equal bytes: a `str` is written as the list that it is, and the pairs of a map
    in the order of their encoded keys (ERTS uses an order of its own; any is valid).

    Raises TermError for a value that is no term: a `bool`, a float that is not finite, an atom of
    more than 255 characters, or terms nested more than `MAX_DEPTH` deep.
    """
    out = bytearray([_VERSION])
    _write(out, term, MAX_DEPTH)
    return bytes(out)


def _write(out: bytearray, term: Term, depth: int) -> None:
    if not depth:
        raise TermError(f"found terms nested more than {MAX_DEPTH} deep")
    match term:
        case Atom():
            _write_atom(out, term)
        case bool():
            raise TermError(f"found the Python bool {term}, expected Atom('true') or Atom('false')")
        case int():
            _write_integer(out, term)
        case float():
            if not math.isfinite(term):
                raise TermError(f"found {term}, expected a finite float")
            out += struct.pack(">Bd", _Tag.NEW_FLOAT_EXT, term)
        case str():
            _write_list(out, [ord(character) for character in term], [], depth)
        case list():
            _write_list(out, term, [], depth)
        case ImproperList():
            _write_list(out, term.elements, term.tail, depth)
        case bytes():
            out += struct.pack(">BI", _Tag.BINARY_EXT, len(term)) + term
        case BitString():
            out += struct.pack(">BIB", _Tag.BIT_BINARY_EXT, len(term.data), term.bits) + term.data
        case tuple():
            if len(term) < 256:
                out += struct.pack(">BB", _Tag.SMALL_TUPLE_EXT, len(term))
            else:
                out += struct.pack(">BI", _Tag.LARGE_TUPLE_EXT, len(term))
            for element in term:
                _write(out, element, depth - 1)
        case Map():
            _write_map(out, term, depth)
        case ExternalFun():
            out.append(_Tag.EXPORT_EXT)
            for part in (term.module, term.function, term.arity):
                _write(out, part, depth)
        case _:
            raise TermError(f"found the Python {type(term).__name__} {term!r}, expected a term")


def _write_atom(out: bytearray, atom: Atom) -> None:
    try:
        name = str(atom).encode()
    except UnicodeEncodeError:
        raise TermError(f"found {atom!r}, expected Unicode characters") from None
    if len(atom) > 255:
        raise TermError(f"found an atom of {len(atom)} characters, expected at most 255")
    if len(name) < 256:
        out += struct.pack(">BB", _Tag.SMALL_ATOM_UTF8_EXT, len(name)) + name
    else:
        out += struct.pack(">BH", _Tag.ATOM_UTF8_EXT, len(name)) + name


def _write_integer(out: bytearray, value: int) -> None:
    if 0 <= value < 256:
        out += struct.pack(">BB", _Tag.SMALL_INTEGER_EXT, value)
    elif -(1 << 31) <= value < 1 << 31:
        out += struct.pack(">Bi", _Tag.INTEGER_EXT, value)
    else:
        digits = abs(value).to_bytes((value.bit_length() + 7) // 8, "little")
        if len(digits) < 256:
            out += struct.pack(">BBB", _Tag.SMALL_BIG_EXT, len(digits), value < 0) + digits
        else:
            out += struct.pack(">BIB", _Tag.LARGE_BIG_EXT, len(digits), value < 0) + digits


def _write_list(out: bytearray, elements: Sequence[Term], tail: Term, depth: int) -> None:
    characters = _latin1(elements) if tail == [] and len(elements) < 1 << 16 else None
    if not elements:
        out.append(_Tag.NIL_EXT)
    elif characters is not None:
        out += struct.pack(">BH", _Tag.STRING_EXT, len(characters)) + characters
    else:
        out += struct.pack(">BI", _Tag.LIST_EXT, len(elements))
        for element in chain(elements, [tail]):
            _write(out, element, depth - 1)


def _latin1(elements: Sequence[Term]) -> bytes | None:
    """The elements as bytes, if that is what all of them are: then ERTS writes a STRING_EXT."""
    numbers = [element for element in elements if type(element) is int and 0 <= element < 256]
    return bytes(numbers) if len(numbers) == len(elements) else None


def _write_map(out: bytearray, term: Map, depth: int) -> None:
    pairs: list[tuple[bytes, Term]] = []
    for key, value in term.pairs:
        encoded = bytearray()
        _write(encoded, key, depth - 1)
        pairs.append((bytes(encoded), value))
    if len(dict(pairs)) != len(pairs):
        raise TermError("found a map with a key twice, expected every key once")
    out += struct.pack(">BI", _Tag.MAP_EXT, len(pairs))
    for encoded_key, value in sorted(pairs, key=itemgetter(0)):
        out += encoded_key
        _write(out, value, depth - 1)


# How to step over a term: after its tag comes a length of `width` bytes (0: it counts nothing) and
# `head` more bytes; then for each thing counted `size` bytes and `terms` terms; then `more` terms.
_LAYOUT: dict[int, tuple[int, int, int, int, int]] = {
    #                    width, head, size, terms, more
    _Tag.SMALL_INTEGER_EXT: (0, 1, 0, 0, 0),
    _Tag.INTEGER_EXT: (0, 4, 0, 0, 0),
    _Tag.NEW_FLOAT_EXT: (0, 8, 0, 0, 0),
    _Tag.FLOAT_EXT: (0, 31, 0, 0, 0),
    _Tag.NIL_EXT: (0, 0, 0, 0, 0),
    _Tag.SMALL_ATOM_EXT: (1, 0, 1, 0, 0),
    _Tag.SMALL_ATOM_UTF8_EXT: (1, 0, 1, 0, 0),
    _Tag.ATOM_EXT: (2, 0, 1, 0, 0),
    _Tag.ATOM_UTF8_EXT: (2, 0, 1, 0, 0),
    _Tag.STRING_EXT: (2, 0, 1, 0, 0),
    _Tag.BINARY_EXT: (4, 0, 1, 0, 0),
    _Tag.BIT_BINARY_EXT: (4, 1, 1, 0, 0),
    _Tag.SMALL_BIG_EXT: (1, 1, 1, 0, 0),
    _Tag.LARGE_BIG_EXT: (4, 1, 1, 0, 0),
    _Tag.SMALL_TUPLE_EXT: (1, 0, 0, 1, 0),
    _Tag.LARGE_TUPLE_EXT: (4, 0, 0, 1, 0),
    _Tag.LIST_EXT: (4, 0, 0, 1, 1),
    _Tag.MAP_EXT: (4, 0, 0, 2, 0),
    _Tag.EXPORT_EXT: (0, 0, 0, 0, 3),
}


def skip(data: bytes | memoryview, offset: int) -> int:
    """The offset after the term that starts at `offset` (with its tag: no version byte).

    It cuts a term out of others without decoding any. Only lengths are looked at, so a term that
    `decode` refuses, for an atom that is no UTF-8 say, may still be stepped over; nesting has no
    limit. Raises TermError where the bytes end within the term, or for a tag it does not know.
    """
    end = len(data)
    pending = 1
    while pending:
        if not 0 <= offset < end:
            raise TermError(f"offset {offset}: found no more bytes, expected a term")
        layout = _LAYOUT.get(data[offset])
        if layout is None:
            raise TermError(f"offset {offset}: found {_name(data[offset])}, expected a term's tag")
        width, head, size, terms, more = layout
        offset += 1 + width
        count = int.from_bytes(data[offset - width : offset], "big")
        offset += head + count * size
        pending += count * terms + more - 1
    if offset > end:
        raise TermError(f"offset {end}: found no more bytes, expected {offset - end} within a term")
    return offset
