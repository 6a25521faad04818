"""What each instruction does to the values in the registers.

Meanings: the comments of OTP's `genop.tab`. Operands that only matter to the VM's memory are passed
over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from imagesmith.beam.assembly import External, Label, Lambda, Operand, Register
from imagesmith.beam.builtin import builtin
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Closure, Value, is_known, same, updated

if TYPE_CHECKING:
    from imagesmith.beam.run import Path, Run

__all__ = ["NOTHING", "STEPS", "Malformed", "number"]


MAX_SIZE = 1 << 10
"""Of a record; the compiler makes none much larger than a person can write."""


class Malformed(Exception):
    """An instruction with operands that no compiler gives it."""


Operands: TypeAlias = tuple[Operand, ...]
Step: TypeAlias = "Callable[[Run, Path, Operands], bool]"
"""Runs an instruction; false ends the path."""


def _move(run: Run, path: Path, operands: Operands) -> bool:
    source, to = operands
    run.put(path, to, run.get(path, source))
    return True


def _swap(run: Run, path: Path, operands: Operands) -> bool:
    one, other = operands
    first, second = run.get(path, one), run.get(path, other)
    run.put(path, one, second)
    run.put(path, other, first)
    return True


def _put_list(run: Run, path: Path, operands: Operands) -> bool:
    head, tail, to = operands
    rest = run.get(path, tail)
    if isinstance(rest, str) and not isinstance(rest, Atom):
        rest = [ord(character) for character in rest]
    run.put(path, to, [run.get(path, head), *rest] if isinstance(rest, list) else UNKNOWN)
    return True


def _put_tuple(run: Run, path: Path, operands: Operands) -> bool:
    to, elements = operands
    run.put(path, to, tuple([run.get(path, element) for element in _listed(elements)]))
    return True


def _update_record(run: Run, path: Path, operands: Operands) -> bool:
    _hint, size, source, to, updates = operands
    record = run.get(path, source)
    elements: list[Value] = (
        list(record) if isinstance(record, tuple) else [UNKNOWN] * min(number(size), MAX_SIZE)
    )
    for index, value in _pairs(_listed(updates)):
        if isinstance(index, int) and 0 < index <= len(elements):
            elements[index - 1] = run.get(path, value)
    run.put(path, to, tuple(elements))
    return True


def _set_tuple_element(run: Run, path: Path, operands: Operands) -> bool:
    value, to, offset = operands
    found = run.get(path, to)
    if isinstance(found, tuple) and isinstance(offset, int) and offset < len(found):
        found = (*found[:offset], run.get(path, value), *found[offset + 1 :])
    run.put(path, to, found)
    return True


def _get_tuple_element(run: Run, path: Path, operands: Operands) -> bool:
    source, offset, to = operands
    found = run.get(path, source)
    value: Value = UNKNOWN
    if isinstance(found, tuple) and isinstance(offset, int) and offset < len(found):
        value = found[offset]
    run.put(path, to, value)
    return True


def _get_list(run: Run, path: Path, operands: Operands) -> bool:
    source, head, tail = operands
    found = run.get(path, source)
    first, rest = (found[0], found[1:]) if isinstance(found, list) and found else (UNKNOWN, UNKNOWN)
    run.put(path, head, first)
    run.put(path, tail, rest)
    return True


def _get_head(run: Run, path: Path, operands: Operands) -> bool:
    source, to = operands
    return _get_list(run, path, (source, to, None))


def _get_tail(run: Run, path: Path, operands: Operands) -> bool:
    source, to = operands
    return _get_list(run, path, (source, None, to))


def _put_map(run: Run, path: Path, operands: Operands) -> bool:
    _fail, source, to, _live, items = operands
    pairs = ((run.get(path, key), run.get(path, value)) for key, value in _pairs(_listed(items)))
    run.put(path, to, updated(run.get(path, source), pairs))
    return True


def _get_map_elements(run: Run, path: Path, operands: Operands) -> bool:
    fail, source, items = operands
    found = run.get(path, source)
    certain = True
    values: list[tuple[Operand, Value]] = []
    for key, to in _pairs(_listed(items)):
        answer = _looked_up(found, run.get(path, key))
        if answer is None:
            return run.jump(path, fail)
        certain = certain and answer is not UNKNOWN
        values.append((to, answer))
    if not certain:
        run.branch(path, fail)
    for to, value in values:
        run.put(path, to, value)
    return True


def _looked_up(found: Value, key: Value) -> Value | None:
    """What a map holds under a key; None if it has no such key, for certain."""
    if found is UNKNOWN or not is_known(key):
        return UNKNOWN
    if not isinstance(found, dict):
        return None
    try:
        return found.get(key, UNKNOWN if UNKNOWN in found else None)
    except TypeError:
        return UNKNOWN


def _has_map_fields(run: Run, path: Path, operands: Operands) -> bool:
    fail, source, keys = operands
    found = run.get(path, source)
    answers = [_looked_up(found, run.get(path, key)) for key in _listed(keys)]
    if None in answers:
        return run.jump(path, fail)
    if any(answer is UNKNOWN for answer in answers):
        run.branch(path, fail)
    return True


def _select(run: Run, path: Path, operands: Operands) -> bool:
    source, *ways = operands
    return _selected(run, path, source, run.get(path, source), tuple(ways))


def _select_arity(run: Run, path: Path, operands: Operands) -> bool:
    source, *ways = operands
    found = run.get(path, source)
    if found is not UNKNOWN:
        found = len(found) if isinstance(found, tuple) else -1
    return _selected(run, path, None, found, tuple(ways))


def _selected(run: Run, path: Path, source: Operand, found: Value, ways: Operands) -> bool:
    fail, items = ways
    for constant, label in _pairs(_listed(items)):
        value = run.get(path, constant)
        answer = same(found, value)
        if answer:
            return run.jump(path, label)
        if answer is None:
            other = path.fork(path.at)
            run.put(other, source, value)
            run.branch(other, label)
    return run.jump(path, fail)


def _bif(run: Run, path: Path, operands: Operands) -> bool:
    """Functions built into the VM: place to fail, (live registers,) function, arguments, target."""
    where = next((at for at, item in enumerate(operands) if isinstance(item, External)), 0)
    function, *arguments, to = operands[where:]
    if not isinstance(function, External):
        raise Malformed
    if where:
        run.branch(path, operands[0])
    run.put(path, to, builtin(function, [run.get(path, item) for item in arguments]))
    return True


def _call(run: Run, path: Path, operands: Operands) -> bool:
    return run.after(path, _called(run, path, operands))


def _call_last(run: Run, path: Path, operands: Operands) -> bool:
    return run.leave(_called(run, path, operands))


def _called(run: Run, path: Path, operands: Operands) -> tuple[Value, ...]:
    arity, label, *_ = operands
    if not isinstance(label, Label) or label.number not in run.whole.assembly.entries:
        return (UNKNOWN,)
    function = run.whole.assembly.entries[label.number]
    return run.whole.run(function, run.arguments(path, arity))


def _call_ext(run: Run, path: Path, operands: Operands) -> bool:
    return run.after(path, _called_elsewhere(run, path, operands))


def _call_ext_last(run: Run, path: Path, operands: Operands) -> bool:
    return run.leave(_called_elsewhere(run, path, operands))


def _called_elsewhere(run: Run, path: Path, operands: Operands) -> tuple[Value, ...]:
    arity, external, *_ = operands
    if not isinstance(external, External):
        raise Malformed
    return run.whole.call(external, run.arguments(path, arity))


def _apply(run: Run, path: Path, operands: Operands) -> bool:
    return run.after(path, _applied(run, path, operands))


def _apply_last(run: Run, path: Path, operands: Operands) -> bool:
    return run.leave(_applied(run, path, operands))


def _applied(run: Run, path: Path, operands: Operands) -> tuple[Value, ...]:
    """`Module:Function(…)`, both in the registers after the arguments."""
    arguments = run.arguments(path, operands[0])
    arity = len(arguments)
    match path.x.get(arity), path.x.get(arity + 1):
        case Atom() as module, Atom() as function:
            return run.whole.call(External(str(module), str(function), arity), arguments)
    return (UNKNOWN,)


def _call_fun(run: Run, path: Path, operands: Operands) -> bool:
    """The fun is in the register after the arguments."""
    arguments = run.arguments(path, operands[0])
    return run.after(path, run.whole.apply(path.x.get(len(arguments), UNKNOWN), arguments))


def _call_fun2(run: Run, path: Path, operands: Operands) -> bool:
    _tag, arity, fun = operands
    return run.after(path, run.whole.apply(run.get(path, fun), run.arguments(path, arity)))


def _make_fun(run: Run, path: Path, operands: Operands) -> bool:
    match operands:
        case (Lambda() as fun, to, tuple(items)):
            caught = tuple([run.get(path, item) for item in items])
        case (Lambda() as fun,):  # make_fun2 takes them from the registers, and answers in x0
            caught = tuple(run.arguments(path, fun.free))
            to = Register("x", 0)
        case _:
            return False
    made = Closure(fun.function, fun.arity - fun.free, caught)
    if run.whole.funs:
        run.whole.apply(made, [UNKNOWN] * made.arity)
    run.put(path, to, made)
    return True


def _send(_run: Run, path: Path, _operands: Operands) -> bool:
    path.x = {0: path.x.get(1, UNKNOWN)}
    return True


def _loop_rec(run: Run, path: Path, operands: Operands) -> bool:
    fail, to = operands
    run.branch(path, fail)
    run.put(path, to, UNKNOWN)
    return True


def _try(run: Run, path: Path, operands: Operands) -> bool:
    """Whatever comes after can raise: then it goes on at the label, x0 to x2 telling of it."""
    _register, label = operands
    handler = path.fork(path.at)
    handler.x = {}
    run.branch(handler, label)
    return True


def _allocate(_run: Run, path: Path, _operands: Operands) -> bool:
    path.y = {}
    return True


def _trim(_run: Run, path: Path, operands: Operands) -> bool:
    count = number(operands[0])
    path.y = {at - count: held for at, held in path.y.items() if at >= count}
    return True


def _jump(run: Run, path: Path, operands: Operands) -> bool:
    return run.jump(path, operands[0])


def _return(run: Run, path: Path, _operands: Operands) -> bool:
    run.add(path.x.get(0, UNKNOWN))
    return False


def _end(_run: Run, _path: Path, _operands: Operands) -> bool:
    return False


def _listed(operand: Operand) -> Operands:
    if not isinstance(operand, tuple):
        raise Malformed
    return operand


def number(operand: Operand) -> int:
    """An operand that is a number."""
    if not isinstance(operand, int):
        raise Malformed
    return operand


def _pairs(items: Operands) -> Iterable[tuple[Operand, Operand]]:
    if len(items) % 2:
        raise Malformed
    return zip(items[::2], items[1::2], strict=True)


STEPS: dict[str, Step] = {
    "move": _move,
    "swap": _swap,
    "put_list": _put_list,
    "put_tuple2": _put_tuple,
    "update_record": _update_record,
    "set_tuple_element": _set_tuple_element,
    "get_tuple_element": _get_tuple_element,
    "get_list": _get_list,
    "get_hd": _get_head,
    "get_tl": _get_tail,
    "put_map_assoc": _put_map,
    "put_map_exact": _put_map,
    "get_map_elements": _get_map_elements,
    "has_map_fields": _has_map_fields,
    "select_val": _select,
    "select_tuple_arity": _select_arity,
    **dict.fromkeys(("bif0", "bif1", "bif2", "gc_bif1", "gc_bif2", "gc_bif3"), _bif),
    "call": _call,
    "call_last": _call_last,
    "call_only": _call_last,
    "call_ext": _call_ext,
    "call_ext_last": _call_ext_last,
    "call_ext_only": _call_ext_last,
    "apply": _apply,
    "apply_last": _apply_last,
    "call_fun": _call_fun,
    "call_fun2": _call_fun2,
    "make_fun2": _make_fun,
    "make_fun3": _make_fun,
    "send": _send,
    "loop_rec": _loop_rec,
    "try": _try,
    "catch": _try,
    **dict.fromkeys(
        ("allocate", "allocate_zero", "allocate_heap", "allocate_heap_zero", "deallocate"),
        _allocate,
    ),
    "trim": _trim,
    "jump": _jump,
    "return": _return,
    **dict.fromkeys(
        (
            *("func_info", "int_code_end", "badmatch", "case_end", "if_end", "try_case_end"),
            *("raise", "raw_raise", "badrecord", "wait", "loop_rec_end"),
        ),
        _end,
    ),
}

NOTHING = frozenset(
    {
        *("line", "test_heap", "executable_line", "debug_line", "nif_start", "on_load"),
        *("remove_message", "timeout", "wait_timeout", "try_end", "recv_marker_bind"),
        *("recv_marker_clear", "recv_marker_use", "init_yregs", "init"),
    }
)
"""Instructions that change no value."""
