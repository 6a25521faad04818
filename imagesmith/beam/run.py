"""A run of one function on values that can be UNKNOWN, along all the paths that it can take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesmith.beam.assembly import (
    MAX_ARITY,
    Function,
    Instruction,
    Label,
    Literal,
    Operand,
    Register,
)
from imagesmith.beam.builtin import TESTS
from imagesmith.beam.steps import NOTHING, STEPS, Malformed, number
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Value

if TYPE_CHECKING:
    from imagesmith.beam.evaluate import Evaluation

__all__ = ["Path", "Run"]

MAX_RESULTS = 24
"""Results of one function that are told apart; with more it returns UNKNOWN as well."""
MAX_FORKS = 6
"""Results of a called function that are followed one by one."""
NIL: Value = []


@dataclass(slots=True)
class Path:
    """Where a run of a function is: the next instruction, and what the registers hold."""

    at: int
    x: dict[int, Value]
    y: dict[int, Value]
    seen: frozenset[int]

    def fork(self, at: int) -> Path:
        """Another path from the same state, at another place."""
        return Path(at, dict(self.x), dict(self.y), self.seen)


class Run:
    """A run of one function along all paths, one after the other."""

    def __init__(self, evaluation: Evaluation, function: Function) -> None:
        self.whole = evaluation
        self.code = function.instructions
        self.labels = {
            item.operands[0]: at for at, item in enumerate(self.code) if item.name == "label"
        }
        self.start = self.labels[function.entry]
        self.waiting: list[Path] = []
        self.found: dict[str, Value] = {}
        # States at labels where a path has been: another one in the same state adds nothing.
        # They are kept, since an object's `id` is its own only as long as it lives.
        self.been: dict[tuple[object, ...], Path] = {}

    def results(self, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """What the function returns."""
        self.waiting = [Path(self.start, dict(enumerate(arguments)), {}, frozenset())]
        while self.waiting and len(self.found) < MAX_RESULTS and self.whole.steps > 0:
            try:
                self.follow(self.waiting.pop())
            except Malformed:
                self.add(UNKNOWN)
        if self.waiting or self.whole.steps <= 0:
            self.add(UNKNOWN)
        return tuple(self.found.values())

    def add(self, value: Value) -> None:
        """The function returns this, too."""
        self.found.setdefault(repr(value), value)

    def follow(self, path: Path) -> None:
        """Run one path to its end, which is a return, a call in its place, or an exception."""
        while self.whole.steps > 0 and path.at < len(self.code):
            self.whole.steps -= 1
            instruction = self.code[path.at]
            path.at += 1
            if instruction.name == "label":
                if not self._enters(path):
                    return
            elif (step := STEPS.get(instruction.name)) is not None:
                if not step(self, path, instruction.operands):
                    return
            elif instruction.name in TESTS:
                if not self._test(path, instruction):
                    return
            elif instruction.name not in NOTHING:
                self._other(path, instruction.operands)

    def _enters(self, path: Path) -> bool:
        """Whether a label is worth going on from."""
        if path.at in path.seen:  # a loop, which could go on for ever
            self.add(UNKNOWN)
            return False
        state = (path.at, *_identities(path.x), None, *_identities(path.y))
        if state in self.been:
            return False
        path.seen |= {path.at}
        self.been[state] = path.fork(path.at)
        return True

    def _other(self, path: Path, operands: tuple[Operand, ...]) -> None:
        """An instruction that is not modelled: it may write any register that it names."""
        for operand in operands:
            if isinstance(operand, Register):
                self.put(path, operand, UNKNOWN)
            elif isinstance(operand, tuple):
                self._other(path, tuple(item for item in operand if isinstance(item, Register)))
            elif isinstance(operand, Label):
                self.branch(path, operand)

    def get(self, path: Path, operand: Operand) -> Value:
        """What an operand stands for."""
        match operand:
            case Register("x", at):
                return path.x.get(at, UNKNOWN)
            case Register("y", at):
                return path.y.get(at, UNKNOWN)
            case Literal():
                return self.whole.constant(operand)
            case None:
                return NIL
            case Atom() | int():
                return operand
        return UNKNOWN

    def put(self, path: Path, operand: Operand, value: Value) -> None:
        """Write a register; those for floats are left alone."""
        match operand:
            case Register("x", at):
                path.x[at] = value
            case Register("y", at):
                path.y[at] = value

    def branch(self, path: Path, label: Operand) -> None:
        """Another path from here on. The label 0 means an exception, and is no path."""
        if isinstance(label, Label) and label.number in self.labels:
            self.waiting.append(path.fork(self.labels[label.number]))

    def jump(self, path: Path, label: Operand) -> bool:
        """Go on at a label. False if it means an exception."""
        if not isinstance(label, Label) or label.number not in self.labels:
            return False
        path.at = self.labels[label.number]
        return True

    def _test(self, path: Path, instruction: Instruction) -> bool:
        fail, *operands = instruction.operands
        answer = TESTS[instruction.name]([self.get(path, operand) for operand in operands])
        if answer is False:
            return self.jump(path, fail)
        if answer is None:
            self.branch(path, fail)
            match instruction.name, operands:
                case "is_eq_exact", [Register() as tested, constant]:
                    self.put(path, tested, self.get(path, constant))
        return True

    def arguments(self, path: Path, arity: Operand) -> list[Value]:
        """The arguments of a call."""
        return [path.x.get(at, UNKNOWN) for at in range(min(number(arity), MAX_ARITY))]

    def after(self, path: Path, results: tuple[Value, ...]) -> bool:
        """Go on after a call: registers x are the called function's, and it leaves one result."""
        if not results:
            return False
        if len(results) > MAX_FORKS:
            results = (UNKNOWN,)
        for result in results[1:]:
            self.waiting.append(Path(path.at, {0: result}, dict(path.y), path.seen))
        path.x = {0: results[0]}
        return True

    def leave(self, results: tuple[Value, ...]) -> bool:
        """Return what a call in the last place returns."""
        for result in results:
            self.add(result)
        return False


def _identities(registers: Mapping[int, Value]) -> Iterator[object]:
    return ((at, id(registers[at])) for at in sorted(registers))
