"""What a function may return, and what it calls, as far as the constants in its code say.

The code is run on values that can be UNKNOWN: a test of one goes both ways, a function elsewhere
returns one. Functions of the module itself are run too, to a small depth. Whatever would take too
long is UNKNOWN: the limits hold for every module, however it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagesmith.beam.assembly import Assembly, External, Function, Literal
from imagesmith.beam.builtin import NO_RETURN, builtin
from imagesmith.beam.run import Run
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Closure, Value, as_value
from imagesmith.errors import TermError

__all__ = ["UNKNOWN", "Call", "Value", "calls_made", "returned"]

MAX_STEPS = 4_000
"""Instructions in all, for one question."""
MAX_DEPTH = 5
"""Functions called by functions."""
MAX_LITERAL_BYTES = 1 << 15


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function of another module."""

    module: str
    function: str
    arguments: tuple[Value, ...]


def returned(
    assembly: Assembly, name: str, arity: int, arguments: Sequence[Value] | None = None
) -> tuple[Value, ...]:
    """What a function may return: each distinct value once, UNKNOWN for all that are not told.

    `arguments` are all UNKNOWN if not given. Empty for a function that never returns, or that the
    module does not have.
    """
    return Evaluation(assembly).returned(name, arity, arguments)


def calls_made(
    assembly: Assembly, name: str, arity: int, arguments: Sequence[Value] | None = None
) -> tuple[Call, ...]:
    """The calls of other modules' functions that a function may make, in the order of its code.

    With those of the module's functions that it calls, and of the funs that it makes.
    """
    evaluation = Evaluation(assembly, funs=True)
    evaluation.returned(name, arity, arguments)
    return tuple(evaluation.calls.values())


class Evaluation:
    """One question; `steps` are those that are left."""

    def __init__(self, assembly: Assembly, *, funs: bool = False) -> None:
        self.assembly = assembly
        self.funs = funs
        self.steps = MAX_STEPS
        self.calls: dict[str, Call] = {}
        self.running: list[Function] = []
        self.known: dict[str, tuple[Value, ...]] = {}
        self.constants: dict[int, Value] = {}

    def returned(
        self, name: str, arity: int, arguments: Sequence[Value] | None
    ) -> tuple[Value, ...]:
        function = self.assembly.functions.get((name, arity))
        if function is None:
            return ()
        return self.run(function, arguments or [UNKNOWN] * arity)

    def run(self, function: Function, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """What a function returns, by a run of it."""
        if function in self.running or len(self.running) >= MAX_DEPTH or self.steps <= 0:
            return (UNKNOWN,)
        key = f"{function.entry} {len(self.running)} {arguments!r}"
        if key not in self.known:
            self.running.append(function)
            self.known[key] = Run(self, function).results(arguments)
            self.running.pop()
        return self.known[key]

    def call(self, external: External, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """What a function of any module returns; nothing for one that raises."""
        key = (external.function, external.arity)
        if external.module == self.assembly.module and key in self.assembly.functions:
            return self.run(self.assembly.functions[key], arguments)
        call = Call(external.module, external.function, tuple(arguments))
        self.calls.setdefault(repr(call), call)
        if external in NO_RETURN:
            return ()
        if external.function in ("struct", "struct!") and external.module == "Elixir.Kernel":
            return (self.struct(arguments[0]),)
        return (builtin(external, arguments),)

    def struct(self, of: Value) -> Value:
        """A struct of the module's own, with whatever in it."""
        if of != Atom(self.assembly.module):
            return UNKNOWN
        found = self.returned("__struct__", 0, [])
        if len(found) != 1 or not isinstance(found[0], dict):
            return UNKNOWN
        name = Atom("__struct__")
        return {key: held if key == name else UNKNOWN for key, held in found[0].items()}

    def apply(self, fun: Value, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """What a fun returns."""
        if not isinstance(fun, Closure) or fun.arity != len(arguments):
            return (UNKNOWN,)
        key = (fun.function, fun.arity + len(fun.caught))
        function = self.assembly.functions.get(key)
        return self.run(function, [*arguments, *fun.caught]) if function else (UNKNOWN,)

    def constant(self, literal: Literal) -> Value:
        """A literal's value, always the same object."""
        if id(literal) not in self.constants:
            value: Value = UNKNOWN
            if len(literal.data) <= MAX_LITERAL_BYTES:
                try:
                    value = as_value(literal.term)
                except TermError:
                    value = UNKNOWN
            self.constants[id(literal)] = value
        return self.constants[id(literal)]
