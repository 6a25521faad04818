"""Child specifications, as far as code tells them.

A supervisor takes a map or a tuple of six (OTP: supervisor(3)); Elixir's takes a module, or a
module and its argument, too, and asks the module's `child_spec/1` for the map
(Elixir: Supervisor.child_spec/2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from imagesmith.beam.assembly import Assembly, External
from imagesmith.beam.evaluate import Call, Evaluation
from imagesmith.beam.term import Atom, Map, Term
from imagesmith.beam.value import UNKNOWN, Closure, Unknown, Value, is_known

__all__ = ["Find", "Specs", "as_term", "lists_of", "without_funs"]

Find = Callable[[str], Assembly | None]
"""A module of the release by its name; None if it has none that can be read."""

MAX_NESTED = 4
"""A `child_spec/1` that asks another one, which asks another one."""

TUPLE = ("id", "start", "restart", "shutdown", "type", "modules")


class Specs(Evaluation):
    """An evaluation that knows what becomes of child specifications."""

    def __init__(self, assembly: Assembly, find: Find, nested: int = 0) -> None:
        super().__init__(assembly)
        self.find = find
        self.nested = nested

    def call(self, external: External, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """As in Evaluation; what Elixir's Supervisor and lists of specifications give is known."""
        results = super().call(external, arguments)
        if external.module == self.assembly.module:
            return results
        match external.module, external.function, arguments:
            case "Elixir.Supervisor", "init", [children, options]:
                return ((Atom("ok"), (options, children)),)
            case "Elixir.Supervisor", "child_spec", [spec, overrides]:
                return (self._overridden(spec, overrides),)
            case module, "child_spec", [argument]:
                spec = (Atom(module), argument)
                return (self.expanded(spec) or spec,)
            case (
                "Elixir.Keyword" | "Elixir.Access",
                "get",
                [list(pairs), Atom() as key, *default],
            ):
                return (_field(pairs, key, default[0] if default else Atom("nil")),)
            case ("Elixir.Keyword", "fetch!", [list(pairs), Atom() as key]):
                return (_field(pairs, key, UNKNOWN),)
            case ("Elixir.Enum" | "lists", "map", [one, other]):
                found, fun = (one, other) if external.module == "Elixir.Enum" else (other, one)
                return (self._mapped(found, fun),)
            case ("Elixir.Enum", "filter" | "reject", [list(found), fun]):
                return (self._kept(found, fun, Atom(str(external.function == "filter").lower())),)
            case ("Elixir.List" | "lists", "flatten", [list(found)]):
                return (_flat(found),)
        return results

    def expanded(self, spec: Value) -> dict[Value, Value] | None:
        """The map of a specification, whichever form it has; None if that cannot be known."""
        match spec:
            case dict():
                return spec
            case (Atom() as module, argument):
                return self._asked(str(module), argument)
            case Atom():
                return self._asked(str(spec), [])
            case (_, _, _, _, _, _):
                return {Atom(key): value for key, value in zip(TUPLE, spec, strict=True)}
        return None

    def supervised(self) -> Iterator[Call]:
        """The calls made so far that start a supervisor with a list of children."""
        for call in self.calls.values():
            if (call.module, call.function, len(call.arguments)) == (
                "Elixir.Supervisor",
                "start_link",
                2,
            ):
                yield call

    def _asked(self, module: str, argument: Value) -> dict[Value, Value] | None:
        assembly = self.find(module) if self.nested < MAX_NESTED else None
        if assembly is None:
            return None
        match Specs(assembly, self.find, self.nested + 1).returned("child_spec", 1, [argument]):
            case (dict() as found,):
                return found
        return None

    def _overridden(self, spec: Value, overrides: Value) -> Value:
        found = self.expanded(spec)
        if found is None or not isinstance(overrides, list):
            return UNKNOWN
        result = dict(found)
        for pair in overrides:
            match pair:
                case (Atom() as key, value):
                    result[key] = value
                case _:
                    return UNKNOWN
        return result

    def _mapped(self, found: Value, fun: Value) -> Value:
        if not isinstance(found, list) or not isinstance(fun, Closure):
            return UNKNOWN
        results = [self.apply(fun, [item]) for item in found]
        return [item[0] if len(item) == 1 else UNKNOWN for item in results]

    def _kept(self, found: list[Value], fun: Value, wanted: Atom) -> Value:
        """What `filter` or `reject` leaves; UNKNOWN where an answer is."""
        kept: list[Value] = []
        for item in found:
            answers = self.apply(fun, [item])
            if len(answers) != 1 or not is_known(answers[0]):
                return UNKNOWN
            is_true = answers[0] not in (Atom("false"), Atom("nil"))
            if is_true == (wanted == Atom("true")):
                kept.append(item)
        return kept


def lists_of(value: Value) -> list[Value] | None:
    """The elements of a list of which every one is told at least in part."""
    if isinstance(value, list) and UNKNOWN not in value:
        return value
    return None


def _field(pairs: list[Value], key: Atom, default: Value) -> Value:
    """The value of the first pair with this key; UNKNOWN if one before it cannot be known."""
    for pair in pairs:
        match pair:
            case (Atom() as found, value):
                if found == key:
                    return value
            case _:
                return UNKNOWN
    return default


def _flat(found: list[Value]) -> Value:
    result: list[Value] = []
    for item in found:
        if item is UNKNOWN:
            return UNKNOWN
        below = _flat(item) if isinstance(item, list) else [item]
        if not isinstance(below, list):
            return UNKNOWN
        result += below
    return result


def as_term(value: Value) -> Term | None:
    """A value as the term that it is; None where something of it is not known."""
    match value:
        case Unknown() | Closure():
            return None
        case tuple():
            items = [as_term(item) for item in value]
            return None if None in items else tuple(item for item in items if item is not None)
        case list():
            items = [as_term(item) for item in value]
            return None if None in items else [item for item in items if item is not None]
        case dict():
            pairs = [(as_term(key), as_term(held)) for key, held in value.items()]
            found = [(key, held) for key, held in pairs if key is not None and held is not None]
            return Map(tuple(found)) if len(found) == len(pairs) else None
    return value


def without_funs(value: Value) -> Value:
    """A value in which all funs are alike: their names follow their place in the module."""
    match value:
        case Closure():
            return Atom("fun")
        case tuple():
            return tuple(without_funs(item) for item in value)
        case list():
            return [without_funs(item) for item in value]
        case dict():
            pairs = sorted(value.items(), key=lambda pair: repr(pair[0]))
            return {key: without_funs(held) for key, held in pairs}
    return value
