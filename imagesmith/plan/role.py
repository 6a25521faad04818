"""What a module is to OTP's release handler: how its processes take new code."""

from __future__ import annotations

import struct
from enum import StrEnum

from imagesmith.beam.assembly import Assembly, Register, disassemble
from imagesmith.beam.module import chunks
from imagesmith.beam.tables import behaviours, exports
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError, TermError

__all__ = ["Role", "role_of"]


class Role(StrEnum):
    """How a module is changed in a running node."""

    SUPERVISOR = "supervisor"
    """Its processes call `init/1` anew and compare their children's specifications."""
    STATEFUL = "stateful"
    """Its processes take over their state by a function of its own."""
    PLAIN = "plain"
    """It is loaded, and that is all; a process that runs in it goes on with the state it has."""


SUPERVISORS = frozenset({"supervisor", "Elixir.Supervisor", "Elixir.DynamicSupervisor"})
SPECIAL = "system_code_change/4"
"""What a special process exports (OTP: sys(3)): it has its own, as nobody else writes it."""
STATE = ("code_change/3", "code_change/4")
"""Of gen_server, gen_event and what Elixir builds on them; of gen_statem."""


def role_of(file: bytes) -> Role:
    """The role of a module, by its behaviours and exports; plain if OTP's chunks do not tell."""
    try:
        found = chunks(file)
        names = frozenset(behaviours(found))
        exported = frozenset(exports(found))
    except (ModuleError, KeyError, IndexError, ValueError, TermError, struct.error):
        return Role.PLAIN
    if names & SUPERVISORS:
        return Role.SUPERVISOR
    if SPECIAL in exported:
        return Role.STATEFUL
    if exported.intersection(STATE) and _has_own_code_change(file):
        return Role.STATEFUL
    return Role.PLAIN


def _has_own_code_change(file: bytes) -> bool:
    """Whether `code_change` does anything but give the state back, as `use GenServer` has it.

    Code that cannot be read is taken to do something: a `code_change` that does nothing is called
    in vain, one that is not called is missed.
    """
    try:
        assembly = disassemble(file)
    except ModuleError:
        return True
    return any(
        _does_something(assembly, name, arity)
        for name, arity in (("code_change", 3), ("code_change", 4))
        if (name, arity) in assembly.exports
    )


def _does_something(assembly: Assembly, name: str, arity: int) -> bool:
    """Idle are `{ok, State}` and, of gen_statem, `{ok, State, Data}`: what came in as it came."""
    built = [
        instruction.operands
        for instruction in assembly.functions[name, arity].instructions
        if instruction.name not in IDLE
    ]
    given = (Atom("ok"), *(Register("x", number) for number in range(1, arity - 1)))
    return built != [(Register("x", 0), given)]


IDLE = ("label", "line", "func_info", "test_heap", "return", "int_code_end")
