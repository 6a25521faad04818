"""A `code_change` to write, as an example: from the state that OLD made to the one of NEW."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.beam.assembly import Assembly
from imagesmith.beam.term import Atom
from imagesmith.beam.value import Value
from imagesmith.plan.shape import Kind, Shape, shape_of

__all__ = ["migration"]


def migration(
    assembly: Assembly,
    old: Shape | None,
    new: Shape,
    made: Sequence[Value],
    held_at: str | None = None,
) -> str:
    """Lines of Elixir, or of Erlang for a module that is named as Erlang's are.

    `made` are the states of NEW's `init/1`: what is new in them has there its first value.
    `held_at` is the key of the state under which the struct stands that changes.
    """
    is_elixir = assembly.module.startswith("Elixir.")
    write: _Language = _Elixir(assembly.module) if is_elixir else _Erlang(assembly.module)
    if old is None:
        sides = write.made(Shape(Kind.MAP), new)
    elif held_at is not None:
        sides = write.inside(held_at, old, new)
    elif old.keys is not None and new.keys is not None:
        sides = write.between_maps(old, new, _first_values(new, made))
    else:
        sides = write.made(old, new)
    return write.clauses(sides, is_statem=("callback_mode", 0) in assembly.exports)


def _first_values(new: Shape, made: Sequence[Value]) -> Mapping[str, Value]:
    for value in made:
        if isinstance(value, dict) and shape_of(value) == new:
            return {str(key): held for key, held in value.items() if isinstance(key, Atom)}
    return {}


@dataclass(frozen=True, slots=True)
class _Sides:
    """On the way up the pattern of the old state and the expression that makes the new one, and the
    same on the way down."""

    up: tuple[str, str]
    down: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Language(ABC):
    module: str

    def made(self, old: Shape, new: Shape) -> _Sides:
        """From one kind of state to another: only its author knows what belongs where."""
        return _Sides(
            (self.pattern(old, old), self.value(new, old)),
            (self.pattern(new, old), self.value(old, new)),
        )

    def pattern(self, shape: Shape, old: Shape) -> str:
        """What matches a state."""
        if shape.kind is Kind.TUPLE:
            return self.tuple(shape, shape.size, old.size)
        return self.variable("state")

    def value(self, shape: Shape, source: Shape) -> str:
        """What is made of a state."""
        if shape.kind is Kind.TUPLE:
            same = source.size if source.kind is Kind.TUPLE else 0
            return self.tuple(shape, same, same)
        return self.variable("new_state")

    def tuple(self, shape: Shape, known: int, named: int) -> str:
        """A tuple whose first elements are as they were."""
        unknown = "_" if known > named else self.nothing()
        parts = [self.variable(f"field{at}") for at in range(min(known, named, shape.size))]
        parts += [unknown] * (shape.size - len(parts))
        if shape.name is not None and parts:
            parts[0] = self.term(Atom(shape.name))
        return f"{{{', '.join(parts)}}}"

    @abstractmethod
    def clauses(self, sides: _Sides, *, is_statem: bool) -> str: ...

    @abstractmethod
    def between_maps(self, old: Shape, new: Shape, values: Mapping[str, Value]) -> _Sides: ...

    @abstractmethod
    def inside(self, key: str, old: Shape, new: Shape, /) -> _Sides: ...

    @abstractmethod
    def variable(self, name: str) -> str: ...

    @abstractmethod
    def nothing(self) -> str: ...

    @abstractmethod
    def term(self, value: Value) -> str: ...


@dataclass(frozen=True, slots=True)
class _Elixir(_Language):
    def clauses(self, sides: _Sides, *, is_statem: bool) -> str:
        name, answer = (" name,", "name, ") if is_statem else ("", "")
        return (
            f"def code_change({{:down, _vsn}},{name} {sides.down[0]}, _extra),\n"
            f"  do: {{:ok, {answer}{sides.down[1]}}}\n\n"
            f"def code_change(_vsn,{name} {sides.up[0]}, _extra),\n"
            f"  do: {{:ok, {answer}{sides.up[1]}}}"
        )

    def between_maps(self, old: Shape, new: Shape, values: Mapping[str, Value]) -> _Sides:
        if old.kind is new.kind is Kind.STRUCT and old.is_kin(new):
            up = f"struct({self.name(new)}, Map.from_struct(state))"
        elif new.kind is Kind.STRUCT:
            up = f"struct({self.name(new)}, {self.plain(old)})"
        else:
            up = self.changed(old, new, self.plain(old), values)
        down = "state" if old.is_kin(new) else self.plain(new)
        down = self.changed(new, old, down, {})
        if old.kind is Kind.STRUCT and not old.is_kin(new):
            down = f"struct({self.name(old)}, {down})"
        return _Sides(("state", up), ("state", down))

    def plain(self, shape: Shape) -> str:
        """The state without `__struct__`."""
        return "Map.from_struct(state)" if shape.kind is Kind.STRUCT else "state"

    def changed(self, old: Shape, new: Shape, source: str, values: Mapping[str, Value]) -> str:
        """A map with other keys."""
        gone, come = _differences(old, new)
        if gone:
            source = f"Map.drop({source}, [{', '.join(self.term(Atom(key)) for key in gone)}])"
        if come:
            pairs = ", ".join(f"{_bare(key)}: {self.term(values.get(key, NIL))}" for key in come)
            source = f"Map.merge({source}, %{{{pairs}}})"
        return source

    def inside(self, key: str, old: Shape, new: Shape) -> _Sides:
        up = f"struct({self.name(new)}, Map.from_struct(state.{key}))"
        down = self.changed(new, old, f"state.{key}", {})
        return _Sides(
            ("state", f"%{{state | {_bare(key)}: {up}}}"),
            ("state", f"%{{state | {_bare(key)}: {down}}}"),
        )

    def value(self, shape: Shape, source: Shape) -> str:
        if shape.kind is Kind.STRUCT and shape.keys:
            return f"%{self.name(shape)}{{{_bare(sorted(shape.keys)[0])}: state}}"
        if source.kind is Kind.STRUCT and source.keys and shape.kind is not Kind.TUPLE:
            return f"state.{sorted(source.keys)[0]}"
        return _Language.value(self, shape, source)

    def name(self, shape: Shape) -> str:
        """A struct's module."""
        module = (shape.name or "").removeprefix("Elixir.")
        return "__MODULE__" if shape.name == self.module else module

    def variable(self, name: str) -> str:
        return name

    def nothing(self) -> str:
        return "nil"

    def term(self, value: Value) -> str:
        match value:
            case Atom() if str(value) in ("nil", "true", "false"):
                return str(value)
            case Atom() if str(value).startswith("Elixir."):
                return str(value).removeprefix("Elixir.")
            case Atom():
                return f":{value}" if PLAIN.fullmatch(value) else f':"{value}"'
            case int() | float():
                return repr(value)
            case bytes() if value.isascii() and value.decode().isprintable():
                return '"' + value.decode().replace("\\", "\\\\").replace('"', '\\"') + '"'
            case []:
                return "[]"
            case dict() if not value:
                return "%{}"
        return "nil"


@dataclass(frozen=True, slots=True)
class _Erlang(_Language):
    def clauses(self, sides: _Sides, *, is_statem: bool) -> str:
        name = " Name," if is_statem else ""
        return (
            f"code_change({{down, _Vsn}},{name} {sides.down[0]}, _Extra) ->\n"
            f"    {{ok,{name} {sides.down[1]}}};\n"
            f"code_change(_Vsn,{name} {sides.up[0]}, _Extra) ->\n"
            f"    {{ok,{name} {sides.up[1]}}}."
        )

    def between_maps(self, old: Shape, new: Shape, values: Mapping[str, Value]) -> _Sides:
        return _Sides(
            ("State", self.changed(old, new, values)), ("State", self.changed(new, old, {}))
        )

    def changed(self, old: Shape, new: Shape, values: Mapping[str, Value]) -> str:
        """A map with other keys."""
        gone, come = _differences(old, new)
        source = "State"
        if gone:
            source = f"maps:without([{', '.join(self.term(Atom(key)) for key in gone)}], {source})"
        if come:
            pairs = ", ".join(
                f"{self.term(Atom(key))} => {self.term(values.get(key, UNDEFINED))}" for key in come
            )
            source = f"maps:merge(#{{{pairs}}}, {source})"
        return source

    def inside(self, key: str, _old: Shape, _new: Shape) -> _Sides:
        name = self.term(Atom(key))
        return _Sides(("State", f"State#{{{name} := New}}"), ("State", f"State#{{{name} := Old}}"))

    def variable(self, name: str) -> str:
        return "".join(part.capitalize() for part in name.split("_"))

    def nothing(self) -> str:
        return "undefined"

    def term(self, value: Value) -> str:
        match value:
            case Atom():
                return str(value) if PLAIN.fullmatch(value) else f"'{value}'"
            case int() | float():
                return repr(value)
            case []:
                return "[]"
            case dict() if not value:
                return "#{}"
        return "undefined"


NIL, UNDEFINED = Atom("nil"), Atom("undefined")
PLAIN = re.compile(r"[a-z][A-Za-z0-9_]*")


def _differences(old: Shape, new: Shape) -> tuple[Iterable[str], Iterable[str]]:
    """The keys that go, and those that come."""
    before, after = old.keys or frozenset(), new.keys or frozenset()
    return sorted(before - after), sorted(after - before)


def _bare(key: str) -> str:
    return key if PLAIN.fullmatch(key) else f'"{key}"'
