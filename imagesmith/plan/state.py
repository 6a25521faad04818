"""The states that processes hold: a running process keeps what OLD's code made of it.

OTP asks a module's `code_change` for the state that NEW's code wants (gen_server(3),
gen_statem(3)); one that does nothing, as `use GenServer` brings it, hands an old state to code that
does not know it. What states look like is told by the values that callbacks return.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from imagesmith.beam.assembly import Assembly, disassemble
from imagesmith.beam.evaluate import calls_made, returned
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Value
from imagesmith.errors import ModuleError
from imagesmith.plan.code import Running, exported
from imagesmith.plan.migration import migration
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.role import Role, role_of
from imagesmith.plan.shape import Kind, Shape, shape_of, structs_in
from imagesmith.plan.structs import changed_modules, struct_keys
from imagesmith.plan.words import listed

__all__ = ["StateChange", "States", "state_changes", "state_shapes"]

SERVERS = frozenset({"handle_call/3", "handle_cast/2", "handle_info/2", "handle_event/2"})
STATEM = ("callback_mode", 0)
MAX_ARGUMENTS = 4
DOWN = (Atom("down"), UNKNOWN)


class States:
    """The states of a module's processes, as far as its code tells."""

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.is_statem = STATEM in assembly.exports

    @cached_property
    def made(self) -> tuple[Value, ...]:
        """Those that `init/1` makes."""
        return tuple(
            held
            for argument in _arguments(self.assembly)
            for answer in returned(self.assembly, "init", 1, [argument])
            for held in _made(answer, self.is_statem)
        )

    @cached_property
    def left(self) -> tuple[Value, ...]:
        """Those that other callbacks leave behind."""
        return tuple(
            held
            for name, arity in sorted(self.assembly.exports)
            if self._is_callback(name, arity)
            for answer in returned(self.assembly, name, arity)
            for held in _left(answer, self.is_statem)
        )

    def _is_callback(self, name: str, arity: int) -> bool:
        if self.is_statem:
            return name != "code_change" and arity in (3, 4)
        return f"{name}/{arity}" in CALLBACKS

    @property
    def is_whole(self) -> bool:
        """Whether `init/1` makes none but those of which the shape is known."""
        return bool(self.made) and all(shape_of(value) is not None for value in self.made)

    def first(self) -> list[Shape]:
        """The shapes that processes begin with."""
        return _shapes(self.made)

    def shapes(self) -> list[Shape]:
        """All shapes that are known."""
        return _shapes((*self.made, *self.left))


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state that NEW's code does not make; `held` if it is a struct inside the state.

    `old` is None where OLD's state is not known, but cannot be `new`. `is_taken` is whether NEW's
    `code_change` makes the one of the other, and `is_given_back` whether it does on the way down.
    """

    application: str
    module: str
    old: Shape | None
    new: Shape
    arity: int
    """Of the module's `code_change`."""
    example: str
    held: bool = False
    has_code_change: bool = False
    is_taken: bool = False
    is_given_back: bool = False

    @property
    def name(self) -> str:
        """The module as people write it."""
        return self.module.removeprefix("Elixir.")

    @property
    def kind(self) -> str:
        """The rule's name: by what it is that changes."""
        if self.held:
            return "struct-shape"
        if self.old is not None and self.old.is_kin(self.new) and self.new.kind is Kind.TUPLE:
            return "record-shape"
        return "state-shape"

    def __str__(self) -> str:
        old, new = self.old, self.new
        if old is None:
            return f"the state of {self.name} becomes {new}"
        what = f"the state of {self.name}"
        if self.held:
            what = f"{what} holds {_module(new)}, which"
        elif old.is_kin(new) and old.kind is Kind.STRUCT and new.name != self.module:
            what = f"{what}, {_module(new)},"
        if old.kind is new.kind and old.keys is not None and new.keys is not None:
            gains, loses = new.keys - old.keys, old.keys - new.keys
            parts = [f"gains {listed(gains)}"] if gains else []
            parts += [f"loses {listed(loses)}"] if loses else []
            return f"{what} {' and '.join(parts)}"
        return f"{what} changes from {old} to {new}"


def state_shapes(before: Running, after: Running) -> Iterator[Reason]:
    """Each state that changes its shape, where NEW has no `code_change` that sees to it."""
    for change in state_changes(before, after):
        if not change.has_code_change:
            says = f"{change}, and {change.name} has no code_change of its own"
            way_out = f"Write code_change/{change.arity} in {change.name}, as in the example."
        elif not change.is_taken:
            says = f"{change}, and its code_change does not make the one of the other"
            way_out = f"Write a clause of code_change/{change.arity} for it, as in the example."
        elif not change.is_given_back:
            says = f"{change}, and its code_change has no way back: a rollback restarts the node"
            way_out = "Write a clause for `{down, Vsn}`, as in the example."
        else:
            continue
        verdict = Verdict.HOT if change.is_taken else Verdict.RESTART
        yield Reason(
            verdict, change.kind, says, way_out, change.application, change.name, change.example
        )


def state_changes(before: Running, after: Running) -> Iterator[StateChange]:
    """The states that change their shape, whoever sees to it. Raises ReleaseError as `code`."""
    for application, module, old, new in changed_modules(before, after):
        if new is None or not (_has_process(old) and _has_process(new)):
            continue
        try:
            was, now = disassemble(old), disassemble(new)
        except ModuleError:
            continue
        found, others = States(was), States(now)
        has_own = role_of(new) is Role.STATEFUL
        arity = 4 if STATEM in now.exports else 3
        for shape, other in _difference(before, after, found, others):
            yield StateChange(
                application,
                module,
                shape,
                other,
                arity,
                migration(now, shape, other, others.made),
                has_code_change=has_own,
                is_taken=has_own and _leads(now, UNKNOWN, shape, others.shapes()),
                is_given_back=has_own and _leads(now, DOWN, other, [shape] if shape else []),
            )
            break
        else:
            for key, shape, other in _held(found, others):
                example = migration(now, shape, other, others.made, key or "held")
                yield StateChange(
                    *(application, module, shape, other, arity, example),
                    *(True, has_own, has_own, has_own),
                )


CALLBACKS = SERVERS | {"handle_continue/2"}


def _has_process(file: bytes) -> bool:
    """Whether its processes have a state by OTP's rules: a cheap question, of most modules."""
    names = exported(file)
    return "init/1" in names and bool(names & (SERVERS | {"callback_mode/0"}))


def _arguments(assembly: Assembly) -> list[Value]:
    """What `init/1` is called with: what stands after the module's name where it starts itself."""
    name = Atom(assembly.module)
    found: dict[str, Value] = {}
    for function, arity in sorted(assembly.exports):
        if not function.startswith("start"):
            continue
        for call in calls_made(assembly, function, arity):
            arguments = call.arguments
            if call.function.startswith("start") and name in arguments[:-1]:
                argument = arguments[arguments.index(name) + 1]
                found[repr(argument)] = argument
    return list(found.values()) if 0 < len(found) <= MAX_ARGUMENTS else [UNKNOWN]


def _made(value: Value, is_statem: bool) -> Iterator[Value]:
    """The state in an answer of `init/1`; none where it starts nothing."""
    match value:
        case (Atom() as tag, *rest) if str(tag) in ("ok", *STAGES) and rest:
            if not is_statem:
                yield rest[0]
            elif len(rest) > 1:
                yield rest[1]
        case (Atom() as tag, *_) if str(tag) in ("stop", "error"):
            return
        case Atom() as tag if str(tag) == "ignore":
            return
        case _:
            yield UNKNOWN


STAGES = ("producer", "consumer", "producer_consumer")
"""What `init/1` of a GenStage says in the place of `ok`."""


def _left(value: Value, is_statem: bool) -> Iterator[Value]:
    """The state in an answer of another callback."""
    match value:
        case (Atom() as tag, _, held, *_) if str(tag) == ("next_state" if is_statem else "reply"):
            yield held
        case (Atom() as tag, held, *_) if str(tag) == ("keep_state" if is_statem else "noreply"):
            yield held


def _shapes(values: tuple[Value, ...]) -> list[Shape]:
    found = [shape for value in values if (shape := shape_of(value)) is not None]
    return list(dict.fromkeys(found))


def _difference(
    before: Running, after: Running, old: States, new: States
) -> Iterator[tuple[Shape | None, Shape]]:
    """Pairs of a state that OLD makes and one of NEW's, where NEW does not make OLD's."""
    first = new.first()
    if not first:
        return
    for shape in old.first():
        if any(shape.fits(other) for other in first):
            continue
        if any(shape.fits(other) for other in new.shapes()):
            continue
        kin = [other for other in first if shape.is_kin(other)]
        if kin or new.is_whole:
            yield shape, (kin or first)[0]
            return
    if old.first() or not new.is_whole:
        return
    for shape in first:
        # OLD's state is not known; but it cannot be a struct that OLD does not have.
        if shape.kind is Kind.STRUCT and not _has_struct(before, after, shape):
            yield None, shape


def _has_struct(before: Running, after: Running, shape: Shape) -> bool:
    """Whether OLD has a struct of these keys; true where that cannot be known."""
    file = _file(before, shape.name or "")
    if file is None:
        return _file(after, shape.name or "") is None
    if "__struct__/0" not in exported(file):
        return False
    keys = struct_keys(file)
    return keys is None or shape.keys is None or keys == shape.keys


def _file(running: Running, module: str) -> bytes | None:
    for name in running.applications:
        if module in running.code(name).modules:
            return running.module(name, module)
    return None


def _held(old: States, new: States) -> Iterator[tuple[str | None, Shape, Shape]]:
    """Structs inside of states that have other keys in NEW's, and the key that they stand under."""
    known = [shape for value in new.made for _, shape in structs_in(value)]
    for value in old.made:
        for key, shape in structs_in(value):
            kin = [other for other in known if shape.is_kin(other)]
            if kin and not any(shape.fits(other) for other in kin):
                yield key, shape, kin[0]


def _leads(assembly: Assembly, version: Value, shape: Shape | None, to: list[Shape]) -> bool:
    """Whether `code_change` can make a state of one of these shapes, as far as it is known."""
    value = UNKNOWN if shape is None else shape.value()
    if ("code_change", 4) in assembly.exports:
        results = returned(assembly, "code_change", 4, [version, UNKNOWN, value, UNKNOWN])
    elif ("code_change", 3) in assembly.exports:
        results = returned(assembly, "code_change", 3, [version, value, UNKNOWN])
    else:
        return True  # a special process has another function for it
    return any(_is_one_of(result, to) for result in results)


def _is_one_of(result: Value, shapes: list[Shape]) -> bool:
    match result:
        case (Atom() as tag, *rest) if str(tag) == "ok" and rest:
            shape = shape_of(rest[-1])
            return shape is None or not shapes or any(shape.fits(other) for other in shapes)
        case (Atom() as tag, *_) if str(tag) == "error":
            return False
    return result is UNKNOWN


def _module(shape: Shape) -> str:
    return (shape.name or "").removeprefix("Elixir.")
