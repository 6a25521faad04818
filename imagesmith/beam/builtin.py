"""Tests, and functions without effect, on values that can be UNKNOWN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from imagesmith.beam.assembly import External
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Closure, Value, is_known, same, updated

__all__ = ["NO_RETURN", "TESTS", "builtin"]

NO_RETURN = frozenset(
    External("erlang", name, arity)
    for name, arities in {
        "error": (1, 2, 3),
        "exit": (1,),
        "throw": (1,),
        "raise": (3,),
        "halt": (0, 1, 2),
        "nif_error": (1, 2),
    }.items()
    for arity in arities
)
"""Functions that raise, or end the node."""

Test = Callable[[Sequence[Value]], bool | None]
"""On the operands after the place to fail to; None: it can be so or so."""


def _of(check: Callable[[Value], bool]) -> Test:
    def test(values: Sequence[Value]) -> bool | None:
        return None if values[0] is UNKNOWN else check(values[0])

    return test


def _is_list(value: Value) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and not isinstance(value, Atom))


def _is_boolean(value: Value) -> bool:
    return value in (Atom("true"), Atom("false"))


def _equal(values: Sequence[Value]) -> bool | None:
    return same(values[0], values[1])


def _different(values: Sequence[Value]) -> bool | None:
    answer = same(values[0], values[1])
    return None if answer is None else not answer


def _either(_values: Sequence[Value]) -> None:
    return None


def _has_arity(values: Sequence[Value]) -> bool | None:
    found, arity = values[:2]
    return None if found is UNKNOWN else isinstance(found, tuple) and len(found) == arity


def _is_tagged(values: Sequence[Value]) -> bool | None:
    found, arity, tag = values
    if found is UNKNOWN:
        return None
    return isinstance(found, tuple) and len(found) == arity and same(found[0], tag)


TESTS: Mapping[str, Test] = {
    "is_atom": _of(lambda value: isinstance(value, Atom)),
    "is_binary": _of(lambda value: isinstance(value, bytes)),
    "is_boolean": _of(_is_boolean),
    "is_float": _of(lambda value: isinstance(value, float)),
    "is_function": _of(lambda value: isinstance(value, Closure)),
    "is_integer": _of(lambda value: isinstance(value, int)),
    "is_list": _of(_is_list),
    "is_map": _of(lambda value: isinstance(value, dict)),
    "is_nil": _of(lambda value: value == []),
    "is_nonempty_list": _of(lambda value: _is_list(value) and value != []),
    "is_number": _of(lambda value: isinstance(value, int | float)),
    "is_tuple": _of(lambda value: isinstance(value, tuple)),
    "is_eq_exact": _equal,
    "is_ne_exact": _different,
    "is_tagged_tuple": _is_tagged,
    "test_arity": _has_arity,
    **dict.fromkeys(("is_lt", "is_ge", "is_eq", "is_ne", "is_bitstr"), _either),
    **dict.fromkeys(("is_function2", "is_pid", "is_port", "is_reference"), _either),
}
"""By the instruction's name."""


def builtin(function: External, arguments: Sequence[Value]) -> Value:
    """What a function without effect returns; UNKNOWN for every other."""
    known = FUNCTIONS.get((function.module, function.function))
    return UNKNOWN if known is None else known(arguments)


def _append(values: Sequence[Value]) -> Value:
    match values:
        case [list(one), list(other)]:
            return [*one, *other]
    return UNKNOWN


def _map_put(values: Sequence[Value]) -> Value:
    """`Map.put(map, key, value)`."""
    match values:
        case [found, key, value]:
            return updated(found, iter([(key, value)]))
    return UNKNOWN


def _maps_put(values: Sequence[Value]) -> Value:
    """`maps:put(Key, Value, Map)`."""
    match values:
        case [key, value, found]:
            return updated(found, iter([(key, value)]))
    return UNKNOWN


def _map_delete(values: Sequence[Value]) -> Value:
    """`Map.delete(map, key)`."""
    match values:
        case [dict(found), key]:
            return _without(found, [key])
    return UNKNOWN


def _map_drop(values: Sequence[Value]) -> Value:
    """`Map.drop(map, keys)`."""
    match values:
        case [dict(found), list(keys)]:
            return _without(found, keys)
    return UNKNOWN


def _maps_remove(values: Sequence[Value]) -> Value:
    """`maps:remove(Key, Map)`."""
    return _map_delete(values[::-1])


def _maps_without(values: Sequence[Value]) -> Value:
    """`maps:without(Keys, Map)`."""
    return _map_drop(values[::-1])


def _without(found: dict[Value, Value], keys: Sequence[Value]) -> Value:
    if not all(isinstance(key, Atom | int | bytes) for key in keys):
        return UNKNOWN
    return {key: value for key, value in found.items() if key not in keys}


def _merge(values: Sequence[Value]) -> Value:
    match values:
        case [dict(one), dict(other)]:
            return {**one, **other}
    return UNKNOWN


def _empty_map(values: Sequence[Value]) -> Value:
    return UNKNOWN if values else {}


def _element(values: Sequence[Value]) -> Value:
    match values:
        case [int(index), tuple(found)] if 0 < index <= len(found):
            return found[index - 1]
    return UNKNOWN


def _set_element(values: Sequence[Value]) -> Value:
    match values:
        case [int(index), tuple(found), value] if 0 < index <= len(found):
            return (*found[: index - 1], value, *found[index:])
    return UNKNOWN


def _map_get(values: Sequence[Value]) -> Value:
    match values:
        case [Atom() as key, dict(found)]:
            return found.get(key, UNKNOWN)
    return UNKNOWN


def _reverse(values: Sequence[Value]) -> Value:
    match values:
        case [list(found)]:
            return found[::-1]
    return UNKNOWN


def _is_same(values: Sequence[Value]) -> Value:
    return _truth(_equal(values))


def _is_different(values: Sequence[Value]) -> Value:
    return _truth(_different(values))


def _not(values: Sequence[Value]) -> Value:
    return _truth(values == [Atom("false")]) if is_known(values[0]) else UNKNOWN


def _truth(answer: bool | None) -> Value:
    return UNKNOWN if answer is None else Atom("true" if answer else "false")


def _sum(values: Sequence[Value]) -> Value:
    match values:
        case [int(one), int(other)]:
            return one + other
    return UNKNOWN


def _difference(values: Sequence[Value]) -> Value:
    match values:
        case [int(one), int(other)]:
            return one - other
    return UNKNOWN


def _product(values: Sequence[Value]) -> Value:
    match values:
        case [int(one), int(other)] if abs(one) < 1 << 64 and abs(other) < 1 << 64:
            return one * other
    return UNKNOWN


FUNCTIONS: Mapping[tuple[str, str], Callable[[Sequence[Value]], Value]] = {
    ("erlang", "++"): _append,
    ("erlang", "+"): _sum,
    ("erlang", "-"): _difference,
    ("erlang", "*"): _product,
    ("erlang", "=:="): _is_same,
    ("erlang", "=/="): _is_different,
    ("erlang", "not"): _not,
    ("erlang", "element"): _element,
    ("erlang", "setelement"): _set_element,
    ("erlang", "map_get"): _map_get,
    ("lists", "append"): _append,
    ("lists", "reverse"): _reverse,
    ("Elixir.Enum", "concat"): _append,
    ("maps", "put"): _maps_put,
    ("maps", "remove"): _maps_remove,
    ("maps", "without"): _maps_without,
    ("maps", "merge"): _merge,
    ("maps", "new"): _empty_map,
    ("Elixir.Map", "delete"): _map_delete,
    ("Elixir.Map", "drop"): _map_drop,
    ("Elixir.Map", "put"): _map_put,
    ("Elixir.Map", "merge"): _merge,
    ("Elixir.Map", "new"): _empty_map,
}
