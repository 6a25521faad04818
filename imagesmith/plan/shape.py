"""The shape of a value: what code that matches it relies on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Value
from imagesmith.plan.words import listed

__all__ = ["Kind", "Shape", "shape_of", "structs_in"]

STRUCT = Atom("__struct__")
MAX_SHOWN = 8
ANY_NUMBER = 271_828  # that no code looks for


class Kind(StrEnum):
    """What a shape is of."""

    STRUCT = "a struct"
    MAP = "a map"
    TUPLE = "a tuple"
    LIST = "a list"
    NUMBER = "a number"
    BINARY = "a binary"


@dataclass(frozen=True, slots=True)
class Shape:
    """`name` is a struct's module or a tuple's tag, `keys` are a map's, `size` is a tuple's.

    `keys` are None where they are not known, or not the same from one value to the next.
    """

    kind: Kind
    name: str | None = None
    keys: frozenset[str] | None = None
    size: int = 0

    def fits(self, other: Shape) -> bool:
        """Whether both can be one, as far as they are known."""
        if (self.kind, self.size) != (other.kind, other.size):
            return False
        if self.name != other.name and not (
            self.kind is Kind.TUPLE and (self.name is None or other.name is None)
        ):
            return False
        return self.keys is None or other.keys is None or self.keys == other.keys

    def is_kin(self, other: Shape) -> bool:
        """Whether it is of the same struct or record, whatever is in it."""
        return (self.kind, self.name) == (other.kind, other.name) and self.name is not None

    def value(self) -> Value:
        """Any value of the shape."""
        match self.kind:
            case Kind.STRUCT | Kind.MAP:
                rest: Collection[Value] = () if self.keys is not None else (UNKNOWN,)
                names = [Atom(key) for key in sorted(self.keys or ())]
                found: dict[Value, Value] = dict.fromkeys([*names, *rest], UNKNOWN)
                return found if self.name is None else {STRUCT: Atom(self.name), **found}
            case Kind.TUPLE:
                tag: Value = UNKNOWN if self.name is None else Atom(self.name)
                return (tag, *[UNKNOWN] * (self.size - 1)) if self.size else ()
            case Kind.NUMBER:
                return ANY_NUMBER
        return UNKNOWN

    def __str__(self) -> str:
        keys = "…" if self.keys is None else listed(self.keys)
        match self.kind:
            case Kind.STRUCT:
                return f"%{(self.name or '').removeprefix('Elixir.')}{{{keys}}}"
            case Kind.MAP:
                return f"a map of {keys}" if self.keys else "a map"
            case Kind.TUPLE:
                if self.size > MAX_SHOWN:
                    tag = f" {self.name}" if self.name else ""
                    return f"a tuple{tag} of {self.size} elements"
                first = f":{self.name}" if self.name else "_"
                return f"{{{', '.join([first, *['_'] * (self.size - 1)][: self.size])}}}"
        return str(self.kind)


def shape_of(value: Value) -> Shape | None:
    """The shape of a value; None for one that is not known, and for an atom, which mostly stands
    for what is still to come. An empty map is to be filled, with any keys."""
    match value:
        case Atom():
            return None
        case int() | float():
            return Shape(Kind.NUMBER)
        case bytes():
            return Shape(Kind.BINARY)
        case str() | list():
            return Shape(Kind.LIST)
        case tuple():
            tag = str(value[0]) if value and isinstance(value[0], Atom) else None
            return Shape(Kind.TUPLE, tag, size=len(value))
        case dict():
            return _of_map(value)
    return None


def _of_map(found: Mapping[Value, Value]) -> Shape | None:
    name = found.get(STRUCT)
    keys = frozenset(str(key) for key in found if isinstance(key, Atom) and key != STRUCT)
    if isinstance(name, Atom):
        return Shape(Kind.STRUCT, str(name), None if UNKNOWN in found else keys)
    if UNKNOWN in found:  # it may be a struct
        return None
    return Shape(Kind.MAP, None, keys if keys and len(keys) == len(found) else None)


def structs_in(value: Value) -> Iterator[tuple[str | None, Shape]]:
    """The structs that a value holds, itself not counted: each with the key of the value that it
    stands under, or None where it stands deeper or has no such key."""
    for key, part in _parts(value):
        shape = shape_of(part)
        if shape is not None and shape.kind is Kind.STRUCT:
            yield key, shape
        yield from ((None, deeper) for _, deeper in structs_in(part))


def _parts(value: Value) -> Iterator[tuple[str | None, Value]]:
    match value:
        case dict():
            for key, part in value.items():
                yield str(key) if isinstance(key, Atom) else None, part
        case tuple() | list():
            yield from ((None, part) for part in value)
