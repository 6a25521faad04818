"""What crosses from node to node while a cluster is upgraded one node after the other.

For that time nodes of OLD and of NEW talk to each other: a struct, a record or a message that only
one of them knows reaches the other. Whether a release is clustered is told from the applications
that connect nodes, and from calls that make sense between nodes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagesmith.beam.assembly import Assembly, Function, Label, Register, disassemble
from imagesmith.beam.origin import Origin
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError
from imagesmith.plan.code import Running, imported
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.structs import changed_modules, record_changes, struct_changes
from imagesmith.plan.words import listed

__all__ = ["clustering", "crosses_nodes", "messages"]

CLUSTERS = frozenset("dns_cluster libcluster horde peerage swarm syn".split())
"""Applications that connect nodes, or spread processes over those that are."""

BETWEEN_NODES = frozenset("global pg rpc erpc".split())
CALLS_BETWEEN = (
    "Elixir.Node:connect/",
    "Elixir.Node:spawn",
    "Elixir.GenServer:multi_call/",
    "gen_server:multi_call/",
    "net_kernel:connect_node/",
)

TWO_STEPS = (
    "Go by a version between that takes both shapes, or send nothing of it from node to node "
    "before all are upgraded."
)

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
        if application.origin is not Origin.OWN:
            continue
        for module in running.code(application.name).modules:
            for call in sorted(imported(running.module(application.name, module))):
                if call.startswith(CALLS_BETWEEN) or call.partition(":")[0] in BETWEEN_NODES:
                    called = call.rpartition("/")[0].replace(":", ".").removeprefix("Elixir.")
                    return f"{module.removeprefix('Elixir.')} calls {called}"
    return None


def messages(assembly: Assembly) -> Mapping[str, frozenset[str]]:
    """What a server matches in its calls and casts, as far as that is told by an atom: the atom
    itself, or the first one of a tuple."""
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


def _matched(function: Function) -> Iterator[str]:
    """The atoms that the first argument, or the first element of it, is compared with.

    The registers that hold them are followed from label to label, as the first jump there has
    them; a call leaves none.
    """
    message, tag = "message", "tag"
    held: dict[Register, str] = {Register("x", 0): message}
    at: dict[int, dict[Register, str]] = {function.entry: dict(held)}
    for instruction in function.instructions:
        name, operands = instruction.name, instruction.operands
        if name == "label":
            match operands:
                case (int(number),):
                    held = dict(at.get(number, held))
            continue
        match name, operands:
            case "is_tagged_tuple", (_, Register() as source, _, Atom() as atom):
                if held.get(source) == message:
                    yield str(atom)
            case "select_val", (Register() as source, _, tuple(choices)) if source in held:
                yield from (str(choice) for choice in choices if isinstance(choice, Atom))
            case "is_eq_exact", (_, Register() as source, Atom() as atom) if source in held:
                yield str(atom)
        for operand in (item for given in operands for item in _flat(given)):
            if isinstance(operand, Label):
                at.setdefault(operand.number, dict(held))
        match name, operands:
            case "get_tuple_element", (Register() as source, int(index), Register() as to):
                held = {register: what for register, what in held.items() if register != to}
                if held.get(source) == message and index == 0:
                    held[to] = tag
            case "move", (Register() as source, Register() as to):
                held = {register: what for register, what in held.items() if register != to} | (
                    {to: held[source]} if source in held else {}
                )
            case _ if name in ENDS:
                held = {}
            case _ if name.startswith("call") or name in ("apply", "apply_last"):
                held = {key: what for key, what in held.items() if key.kind == "y"}


def _flat(operand: object) -> Iterator[object]:
    if isinstance(operand, tuple):
        yield from operand
    else:
        yield operand
