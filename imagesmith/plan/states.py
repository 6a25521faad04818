"""The states that processes begin with and go on with, as far as code tells.

By the answers of callbacks, as gen_server(3), gen_statem(3) and gen_event(3) have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from imagesmith.beam.assembly import Assembly, External
from imagesmith.beam.evaluate import Evaluation, calls_made, returned
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Value
from imagesmith.plan.code import exported
from imagesmith.plan.shape import Shape, shape_of
from imagesmith.plan.specs import Find

__all__ = ["STATEM", "States", "has_process"]

SERVERS = frozenset({"handle_call/3", "handle_cast/2", "handle_info/2", "handle_event/2"})
STATEM = ("callback_mode", 0)
CALLBACKS = SERVERS | {"handle_continue/2"}
MAX_ARGUMENTS = 2
MAX_MODULES = 2
"""How deep calls are followed into other modules."""


class States:
    """The states of a module's processes, as far as its code tells."""

    def __init__(self, assembly: Assembly, find: Find) -> None:
        self.assembly = assembly
        self.find = find
        self.is_statem = STATEM in assembly.exports

    @cached_property
    def made(self) -> tuple[Value, ...]:
        """Those that `init/1` makes."""
        return tuple(
            held
            for argument in _arguments(self.assembly)
            for answer in _Across(self.assembly, self.find).returned("init", 1, [argument])
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

    def left_shapes(self) -> list[Shape]:
        """The shapes that callbacks leave behind."""
        return _shapes(self.left)

    def shapes(self) -> list[Shape]:
        """All shapes that are known."""
        return _shapes((*self.made, *self.left))


class _Across(Evaluation):
    """An evaluation that follows calls into other modules of the release: `State.new(options)`."""

    def __init__(self, assembly: Assembly, find: Find, depth: int = 0) -> None:
        super().__init__(assembly)
        self.find = find
        self.depth = depth

    def call(self, external: External, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """As in Evaluation; the steps of functions elsewhere are of the same purse."""
        results = super().call(external, arguments)
        if results != (UNKNOWN,) or self.depth == MAX_MODULES:
            return results
        assembly = self.find(external.module)
        if assembly is None or (external.function, external.arity) not in assembly.exports:
            return results
        elsewhere = _Across(assembly, self.find, self.depth + 1)
        elsewhere.steps = self.steps
        results = elsewhere.returned(external.function, external.arity, arguments)
        self.steps = elsewhere.steps
        return results


def has_process(file: bytes) -> bool:
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
