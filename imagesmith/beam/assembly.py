"""A module's code as instructions, read from its `Code` chunk.

Layout: OTP's `beam_asm` writes it, `beam_disasm` reads it; ours gives the same functions, and is
held against it in the tests. Operands are as the loader takes them, and not as `beam_disasm` makes
them pretty, but for these: what points into `ImpT` is an External, what points into `FunT` a
Lambda, and the type that a register can carry (chunk `Type`, for the JIT) is left out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from imagesmith.beam import etf
from imagesmith.beam.module import chunks
from imagesmith.beam.opcodes import OPCODES
from imagesmith.beam.tables import Chunks, atoms, behaviours, exported, imported, literals
from imagesmith.beam.term import Atom, Term
from imagesmith.errors import ModuleError

__all__ = [
    "Assembly",
    "External",
    "Function",
    "Instruction",
    "Label",
    "Lambda",
    "Literal",
    "Operand",
    "Register",
    "disassemble",
]


@dataclass(frozen=True, slots=True)
class Register:
    """`x` holds arguments and results, `y` is on the stack, `fr` is for floats."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Label:
    """A place in the code; 0 as a place to fail to means: raise."""

    number: int


@dataclass(frozen=True, slots=True)
class External:
    """A function of any module, by name (chunk `ImpT`)."""

    module: str
    function: str
    arity: int


@dataclass(frozen=True, slots=True)
class Lambda:
    """A function that `fun` is made of; its last `free` arguments are values caught with it."""

    function: str
    arity: int
    entry: int
    free: int


@dataclass(frozen=True)
class Literal:
    """A constant that is no atom and no small integer, in the external term format."""

    data: bytes

    @cached_property
    def term(self) -> Term:
        """The constant. Raises TermError for one that only a node could hold."""
        return etf.decode(self.data)


Operand: TypeAlias = (
    "Atom | int | Register | Label | External | Lambda | Literal | tuple[Operand, ...] | None"
)
"""None is `[]`. A tuple is an extended list, or pairs on memory: 0 and words, 1 floats, 2 funs."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, by the name that OTP's genop.tab gives it."""

    name: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function; the code begins with the label before `func_info`, `entry` is the one after."""

    name: str
    arity: int
    entry: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Assembly:
    """A module's functions by (name, arity), those made of funs and comprehensions too.

    `behaviours` are of its attributes, which some tools strip; `strings` is what instructions on
    binaries point into (chunk `StrT`).
    """

    module: str
    functions: Mapping[tuple[str, int], Function]
    exports: frozenset[tuple[str, int]]
    behaviours: tuple[str, ...]
    strings: bytes

    @cached_property
    def entries(self) -> Mapping[int, Function]:
        """The functions by entry: what the label of a local call leads to."""
        return {function.entry: function for function in self.functions.values()}


def disassemble(file: bytes) -> Assembly:
    """The code of a module file. Raises ModuleError for one that OTP 28 or an older one did not
    write: instructions that we do not know have operands that we cannot count."""
    found = chunks(file)
    try:
        return _Reader(found).assembly()
    except KeyError as error:
        raise ModuleError(f"it has no chunk {error}") from None
    except (IndexError, struct.error, ValueError, zlib.error) as error:
        raise ModuleError(f"its code cannot be read: {error}") from None


MAX_ARITY = 255
_HEADER = struct.Struct(">5I")
_LAMBDA = struct.Struct(">6I")

# Tags of compact terms (OTP: beam_opcodes.hrl); the others are read in `_operand`.
_INTEGER, _EXTENDED = 1, 7

_IMPORTED = {
    "bif0": 0,
    **dict.fromkeys(("call_ext", "call_ext_last", "call_ext_only", "bif1", "bif2"), 1),
    **dict.fromkeys(("gc_bif1", "gc_bif2", "gc_bif3"), 2),
}
"""Which operand of an instruction points into `ImpT`."""

_FUNS = ("make_fun2", "make_fun3", "call_fun2")
"""Whose first operand points into `FunT`; that of `call_fun2` can be an atom, too."""


class _Reader:
    """Reads the code from front to back; `at` is the offset of the next byte."""

    def __init__(self, found: Chunks) -> None:
        self.found = found
        self.atoms = [Atom(name) for name in atoms(found)]
        self.literals = [Literal(data) for data in literals(found)] if b"LitT" in found else []
        self.code = found[b"Code"]
        size, _instruction_set, self.highest, _labels, self.count = _HEADER.unpack_from(self.code)
        self.at = 4 + size
        if self.highest >= len(OPCODES):
            raise ValueError(f"it has instructions that OTP 28 does not know ({self.highest})")
        # Most operands are one byte, and the same ones again and again.
        self.known: dict[int, Operand] = {}

    def assembly(self) -> Assembly:
        self.imports = [External(*called) for called in imported(self.found)]
        self.lambdas = list(self._lambdas())
        functions = {(item.name, item.arity): item for item in self._functions()}
        if len(functions) != self.count:
            raise ValueError(f"it has {len(functions)} functions of {self.count}")
        exports = frozenset(exported(self.found))
        named = tuple(behaviours(self.found))
        return Assembly(str(self.atoms[0]), functions, exports, named, self.found[b"StrT"])

    def _lambdas(self) -> Iterator[Lambda]:
        table = self.found.get(b"FunT", bytes(4))
        for at in range(4, 4 + _LAMBDA.size * int.from_bytes(table[:4], "big"), _LAMBDA.size):
            function, arity, entry, _index, free, _uniq = _LAMBDA.unpack_from(table, at)
            if not free <= arity <= MAX_ARITY:
                raise ValueError(f"a fun of {arity} arguments, {free} of them caught")
            yield Lambda(str(self.atoms[function - 1]), arity, entry, free)

    def _functions(self) -> Iterator[Function]:
        """The functions: each begins with the labels and lines before its `func_info`."""
        head: list[Instruction] = []
        body: list[Instruction] = []
        for instruction in self._instructions():
            if instruction.name in ("func_info", "int_code_end"):
                following = len(body)
                while following and body[following - 1].name in ("label", "line"):
                    following -= 1
                if instruction.name == "int_code_end":
                    following = len(body)
                if head:
                    yield _function(head, body[:following])
                head = [*body[following:], instruction]
                body = []
            else:
                body.append(instruction)
        if head[-1].name != "int_code_end":
            raise ValueError("it does not end")

    def _instructions(self) -> Iterator[Instruction]:
        code, end = self.code, len(self.code)
        while self.at < end:
            opcode = OPCODES[code[self.at]]
            self.at += 1
            if opcode is None:
                raise ValueError(f"there is no instruction at byte {self.at - 1}")
            name, arity = opcode
            operands = [self._next() for _ in range(arity)]
            if (where := _IMPORTED.get(name)) is not None:
                operands[where] = self.imports[_index(operands[where])]
            elif name in _FUNS and isinstance(operands[0], int):
                operands[0] = self.lambdas[_index(operands[0])]
            yield Instruction(name, tuple(operands))
            if name == "int_code_end":
                return

    def _next(self) -> Operand:
        """The next operand (OTP: beam_asm:encode_arg/2)."""
        first = self.code[self.at]
        self.at += 1
        tag = first & 7
        if tag == _EXTENDED:
            return self._extended(first >> 4)
        if not first & 8:
            if first not in self.known:
                self.known[first] = self._operand(tag, first >> 4)
            return self.known[first]
        if not first & 16:
            value = (first & 0xE0) << 3 | self.code[self.at]
            self.at += 1
            return self._operand(tag, value)
        size = (first >> 5) + 2
        if size == 9:
            size += self._number()
        data = self._taken(size)
        return self._operand(tag, int.from_bytes(data, "big", signed=tag == _INTEGER))

    def _taken(self, size: int) -> bytes:
        data = self.code[self.at : self.at + size]
        if len(data) < size:
            raise ValueError("it is cut short")
        self.at += size
        return data

    def _operand(self, tag: int, value: int) -> Operand:
        match tag:
            case 2:
                return self.atoms[value - 1] if value else None
            case 3:
                return Register("x", value)
            case 4:
                return Register("y", value)
            case 5:
                return Label(value)
        return value

    def _extended(self, kind: int) -> Operand:
        match kind:
            case 0:  # a float as its bytes; compilers up to OTP 25 wrote none, but for old tools
                return Literal(b"\x83F" + self._taken(8))
            case 1:
                return tuple([self._next() for _ in range(self._number())])
            case 2:
                return Register("fr", self._number())
            case 3:
                return tuple([(self._number(), self._number()) for _ in range(self._number())])
            case 4:
                return self.literals[self._number()]
            case 5:
                register = self._next()
                self._number()
                return register
        raise ValueError(f"there is no operand of kind {kind} at byte {self.at - 1}")

    def _number(self) -> int:
        return _index(self._next())


def _index(operand: Operand) -> int:
    if not isinstance(operand, int) or operand < 0:
        raise ValueError(f"found {operand}, expected a number")
    return operand


def _function(head: list[Instruction], body: list[Instruction]) -> Function:
    match head[-1].operands, body:
        case (_, Atom() as name, int(arity)), [Instruction("label", (int(entry),)), *_]:
            return Function(str(name), arity, entry, (*head, *body))
    raise ValueError("a function has no entry")
