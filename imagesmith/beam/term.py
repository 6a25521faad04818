"""Erlang terms as Python values: the vocabulary that the text and the external format share.

Erlang has no strings: `"ab"` is the list `[97, 98]`. We keep what the source shows. A `str` is a
list of characters that was written as a string: a non-empty literal of a text file, or a
STRING_EXT of the external format, which holds any list of bytes. `[97, 98]` in a text file stays a
`list`, and `""` is `[]`, as it is in Erlang. So one Erlang value can come as `str` or as `list`:
read strings through `text`, and where Erlang's own equality (`=:=`) matters compare what
`etf.encode` makes of both, which is the same bytes for the same term.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from imagesmith.errors import TermError

__all__ = [
    "MAX_DEPTH",
    "Atom",
    "BitString",
    "ExternalFun",
    "ImproperList",
    "Map",
    "Term",
    "cons",
    "text",
]

# Terms of releases nest some ten deep. The limit keeps hostile input off Python's call stack, and
# what we return within reach of Python's own `==` and `repr`, which recurse as well.
MAX_DEPTH = 100


class Atom(str):
    """An atom: its name as text, yet never equal to the string of the same letters."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and str.__eq__(self, other)

    # `str` brings a `!=` of its own, which would not ask our `==`.
    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Atom, str(self)))

    def __repr__(self) -> str:
        return f"Atom({str(self)!r})"


@dataclass(frozen=True, slots=True)
class BitString:
    """A binary whose last byte is not whole: only its `bits` (1 to 7) highest bits count."""

    data: bytes
    bits: int


@dataclass(frozen=True, slots=True)
class ExternalFun:
    """`fun module:function/arity`."""

    module: Atom
    function: Atom
    arity: int


@dataclass(frozen=True, slots=True)
class ImproperList:
    """`[elements… | tail]`: at least one element, and a tail that is not itself a list."""

    elements: tuple[Term, ...]
    tail: Term


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Map:
    """A map as its pairs, in the order of the source; no `dict`, since a key may be a list.

    Like Erlang's, two maps are equal whatever the order of their pairs.
    """

    pairs: tuple[tuple[Term, Term], ...]

    def __repr__(self) -> str:
        pairs = sorted(f"{key!r}: {value!r}" for key, value in self.pairs)
        return f"Map({{{', '.join(pairs)}}})"

    # Keys need not be hashable or have an order, but each has a text of its own.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and repr(self) == repr(other)

    def get(self, key: Term) -> Term | None:
        """The value under `key`, or None, which is no term."""
        return next((value for found, value in self.pairs if found == key), None)


Term: TypeAlias = (
    "Atom | int | float | str | bytes | BitString | tuple[Term, ...] | list[Term] | Map"
    " | ImproperList | ExternalFun"
)


def cons(elements: list[Term], tail: Term) -> Term:
    """`[elements… | tail]`: a list where the tail is one (a string is), else an improper list."""
    match tail:
        case _ if not elements:
            return tail
        case Atom():
            return ImproperList(tuple(elements), tail)
        case str():
            return elements + [ord(character) for character in tail]
        case list():
            return elements + tail
        case ImproperList():
            return ImproperList((*elements, *tail.elements), tail.tail)
    return ImproperList(tuple(elements), tail)


def text(term: Term) -> str:
    """The text that a term holds: a string, a list of code points, or a UTF-8 binary.

    Raises TermError for any other term; an atom is not text, `str(atom)` is its name.
    """
    match term:
        case Atom():
            pass
        case str():
            return term
        case bytes():
            try:
                return term.decode()
            except UnicodeDecodeError:
                pass
        case list():
            points = [point for point in term if isinstance(point, int) and _is_character(point)]
            if len(points) == len(term):
                return "".join(map(chr, points))
    shown = repr(term)
    raise TermError(f"found {shown if len(shown) <= 60 else shown[:60] + '…'}, expected a string")


def _is_character(point: int) -> bool:
    return 0 <= point < 0xD800 or 0xDFFF < point <= 0x10FFFF
