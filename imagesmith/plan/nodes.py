"""What crosses from node to node while a cluster is upgraded one node after the other.

For that time nodes of OLD and of NEW talk to each other: a struct, a record or a message that only
one of them knows reaches the other. Whether a release is clustered is told from the applications
that connect nodes, and from calls that make sense between nodes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagesmith.beam.assembly import (
    Assembly,
    Function,
    Label,
    Literal,
    Operand,
    Register,
    disassemble,
)
from imagesmith.beam.origin import Origin
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError, TermError
from imagesmith.plan.code import Running, imported
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.structs import changed_modules, record_changes, struct_changes
from imagesmith.plan.words import listed

__all__ = ["clustering", "crosses_nodes", "messages"]

CLUSTERS = frozenset("dns_cluster libcluster horde peerage swarm syn".split())
"""Applications that connect nodes, or spread processes over those that are."""

BETWEEN_NODES = (
    "Elixir.Node:connect/",
    "Elixir.GenServer:multi_call/",
    "gen_server:multi_call/",
    "net_kernel:connect_node/",
)
PERHAPS_BETWEEN = ("Elixir.Node:spawn", "global:", "pg:", "rpc:", "erpc:")
"""What libraries call as well that do with one node: it counts in a team's own code alone."""

TWO_STEPS = (
    "Go by a version between that takes both shapes, or send nothing of it from node to node "
    "before all are upgraded."
)

Operands = tuple[Operand, ...]
CALLBACKS = {("handle_call", 3): "calls", ("handle_cast", 2): "casts"}


def crosses_nodes(before: Running, after: Running) -> Iterator[Reason]:
    """What nodes of OLD and NEW understand differently, where the release is clustered."""
    because = clustering(after) or clustering(before)
    if because is None:
        return
    for change in struct_changes(before, after):
        yield _reason(f"{change}", because, change.application, change.module)
    for record in record_changes(before, after):
        yield _reason(f"{record}", because, record.application, record.tag)
    for application, module, old, new in changed_modules(before, after):
        if new is not None and (words := _messages_changed(old, new)):
            name = module.removeprefix("Elixir.")
            yield _reason(f"{name} takes other {words}", because, application, module)


def clustering(running: Running) -> str | None:
    """Why nodes of the release will be connected, in words; None where nothing says so."""
    if found := CLUSTERS & running.applications.keys():
        return f"{listed(found)} connects nodes"
    for application in running.applications.values():
        if application.origin in (Origin.OTP, Origin.ELIXIR):
            continue
        own = application.origin is Origin.OWN
        wanted = BETWEEN_NODES + PERHAPS_BETWEEN * own
        for module in running.code(application.name).modules:
            for call in sorted(imported(running.module(application.name, module))):
                if call.startswith(wanted):
                    called = call.rpartition("/")[0].replace(":", ".").removeprefix("Elixir.")
                    return f"{module.removeprefix('Elixir.')} calls {called}"
    return None


def messages(assembly: Assembly) -> Mapping[str, frozenset[str]]:
    """What a server matches in its calls and casts, as far as that is told by an atom: `stop`, or
    `{put, _, _}` by the first one of a tuple."""
    return {
        kind: frozenset(_matched(assembly.functions[callback]))
        for callback, kind in CALLBACKS.items()
        if callback in assembly.functions
    }


def _reason(says: str, because: str, application: str, subject: str) -> Reason:
    return Reason(
        Verdict.HOT,
        "crosses-nodes",
        f"{says}, and nodes of OLD and NEW talk to each other during a rolling upgrade ({because})",
        TWO_STEPS,
        application,
        subject.removeprefix("Elixir."),
    )


def _messages_changed(old: bytes, new: bytes) -> str | None:
    """What to say of the messages that only one of two versions takes."""
    try:
        before, after = messages(disassemble(old)), messages(disassemble(new))
    except ModuleError:
        return None
    words = []
    for kind in before.keys() & after.keys():
        names = [f"+{name}" for name in sorted(after[kind] - before[kind])]
        names += [f"-{name}" for name in sorted(before[kind] - after[kind])]
        if names:
            words.append(f"{kind} ({', '.join(names)})")
    return " and ".join(sorted(words)) or None


ENDS = frozenset(
    "return call_only call_last call_ext_only call_ext_last jump badmatch case_end if_end "
    "func_info try_case_end raw_raise apply_last badrecord".split()
)


@dataclass(frozen=True, slots=True)
class _Held:
    """The message itself, or the first element of the tuple that it is; its size, if tested."""

    is_tag: bool
    size: int | None = None

    def named(self, atom: Atom) -> str:
        """The message that has this atom here, with a `_` for each other element."""
        if not self.is_tag:
            return str(atom)
        rest = ", …" if self.size is None else ", _" * (self.size - 1)
        return f"{{{atom}{rest}}}"


Registers = dict[Register, _Held]


def _matched(function: Function) -> Iterator[str]:
    """The atoms that the first argument, or the first element of it, is compared with.

    The registers that hold them are followed from label to label, as the first jump there has
    them; a call leaves none.
    """
    held: Registers = {Register("x", 0): _Held(is_tag=False)}
    at: dict[int, Registers] = {function.entry: dict(held)}
    for instruction in function.instructions:
        name, operands = instruction.name, instruction.operands
        if name == "label":
            match operands:
                case (int(number),):
                    held = dict(at.get(number, held))
            continue
        yield from _compared(name, operands, held)
        _jumps(name, operands, held, at)
        held = _after(name, operands, held)


def _compared(name: str, operands: Operands, held: Registers) -> Iterator[str]:
    """What an instruction compares the message with."""
    match name, operands:
        case "is_tagged_tuple", (_, Register() as source, int(size), Atom() as atom):
            if source in held and not held[source].is_tag:
                yield _Held(True, size).named(atom)
        case "select_val", (Register() as source, _, tuple(choices)) if source in held:
            atoms = (choice for choice in choices if isinstance(choice, Atom))
            yield from (held[source].named(atom) for atom in atoms)
        case "is_eq_exact", (_, Register() as source, Atom() as atom) if source in held:
            yield held[source].named(atom)
        case "is_eq_exact", (_, Register() as source, Literal() as literal) if source in held:
            try:
                term = literal.term
            except TermError:
                return
            match term:
                case (Atom() as atom, *others):
                    yield _Held(True, 1 + len(others)).named(atom)


def _jumps(name: str, operands: Operands, held: Registers, at: dict[int, Registers]) -> None:
    """Note what is held where an instruction can lead."""
    match name, operands:
        case "select_tuple_arity", (Register() as source, _, tuple(choices)) if source in held:
            for size, label in zip(choices[::2], choices[1::2], strict=True):
                if isinstance(size, int) and isinstance(label, Label):
                    at.setdefault(label.number, {**held, source: _Held(False, size)})
    for operand in (item for given in operands for item in _flat(given)):
        if isinstance(operand, Label):
            at.setdefault(operand.number, dict(held))


def _after(name: str, operands: Operands, held: Registers) -> Registers:
    """What is held after an instruction."""
    match name, operands:
        case "test_arity", (_, Register() as source, int(size)) if source in held:
            return {**held, source: _Held(False, size)}
        case "get_tuple_element", (Register() as source, int(index), Register() as to):
            found = held.get(source)
            rest = {register: what for register, what in held.items() if register != to}
            is_first = found is not None and not found.is_tag and index == 0
            return rest | {to: _Held(True, found.size)} if found and is_first else rest
        case "move", (Register() as source, Register() as to):
            rest = {register: what for register, what in held.items() if register != to}
            return rest | {to: held[source]} if source in held else rest
    if name in ENDS:
        return {}
    if name.startswith("call") or name == "apply":
        return {register: what for register, what in held.items() if register.kind == "y"}
    return held


def _flat(operand: Operand) -> Iterator[Operand]:
    if isinstance(operand, tuple):
        for item in operand:
            yield from _flat(item)
    else:
        yield operand
