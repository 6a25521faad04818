"""What code computes, as far as constants say: terms with UNKNOWN wherever they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from imagesmith.beam.term import Atom, BitString, ExternalFun, ImproperList, Map, Term

__all__ = ["UNKNOWN", "Closure", "Unknown", "Value", "as_value", "is_known", "same", "updated"]


class Unknown(Enum):
    """The type of UNKNOWN, which is the only one of it."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final[Literal[Unknown.UNKNOWN]] = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Closure:
    """A fun that the module makes: of one of its functions, and the values caught with it.

    The caught ones are the last of the function's arguments; `arity` is without them.
    """

    function: str
    arity: int
    caught: tuple[Value, ...]


Value: TypeAlias = (
    "Atom | int | float | str | bytes | BitString | ImproperList | ExternalFun | Closure | Unknown"
    " | tuple[Value, ...] | list[Value] | dict[Value, Value]"
)
"""A term, with a dict for a map. A map that can have more keys than it shows has UNKNOWN as one."""

MAX_PAIRS = 256
"""A larger map is a table of data, and no state or specification."""


def as_value(term: Term) -> Value:
    """A term as a value. A map with keys that no dict can hold is UNKNOWN."""
    match term:
        case Map():
            if len(term.pairs) > MAX_PAIRS:
                return UNKNOWN
            try:
                return {as_value(key): as_value(value) for key, value in term.pairs}
            except TypeError:
                return UNKNOWN
        case tuple():
            return tuple([as_value(item) for item in term])
        case list():
            return [as_value(item) for item in term]
        case str() if not isinstance(term, Atom) and not term.isprintable():
            return [ord(character) for character in term]  # numbers, and no text
    return term


def updated(found: Value, pairs: Iterator[tuple[Value, Value]]) -> Value:
    """A map with these pairs put into it, `found` being a map for certain."""
    result: dict[Value, Value] = dict(found) if isinstance(found, dict) else {UNKNOWN: UNKNOWN}
    for key, value in pairs:
        try:
            result[key if is_known(key) else UNKNOWN] = value if is_known(key) else UNKNOWN
        except TypeError:
            result[UNKNOWN] = UNKNOWN
    return result


def is_known(value: Value) -> bool:
    """Whether nothing in it is UNKNOWN."""
    match value:
        case Unknown() | Closure():
            return False
        case tuple() | list():
            return all(map(is_known, value))
        case dict():
            return all(is_known(key) and is_known(held) for key, held in value.items())
    return True


def same(one: Value, other: Value) -> bool | None:
    """Whether two are the same term (`=:=`); None if that cannot be known."""
    if one is UNKNOWN or other is UNKNOWN:
        return None
    if isinstance(one, Closure) or isinstance(other, Closure):
        return None if isinstance(one, Closure) and isinstance(other, Closure) else False
    match one, other:
        case (tuple(), tuple()):
            return _all_same(one, other)
        case (list(), list()):
            return _all_same(one, other)
        case (str(), list()) | (list(), str()):
            return None if one and other else False
        case (dict(), dict()):
            return one == other if is_known(one) and is_known(other) else None
    return type(one) is type(other) and one == other


def _all_same(some: Sequence[Value], others: Sequence[Value]) -> bool | None:
    if len(some) != len(others):
        return False
    answers = [same(one, other) for one, other in zip(some, others, strict=True)]
    return False if False in answers else None if None in answers else True
