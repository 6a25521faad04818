"""Who reads which key of the environment, and whether only while it starts.

A key is read by `application:get_env` or Elixir's `Application.get_env`, `fetch_env` and the like.
What is read in `init/1`, in an application's `start/2`, by `start_link` or `child_spec/1`, has its
effect for as long as the process lives. `Application.compile_env` leaves no read: its value is in
the module, which changes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from imagesmith.beam.assembly import Assembly, External, Label, Lambda, Register, disassemble
from imagesmith.beam.origin import Origin
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError
from imagesmith.plan.code import Running, imported
from imagesmith.plan.config import config_keys
from imagesmith.plan.environment import KeyChange
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.words import listed, modules_listed

__all__ = ["config_at_start", "reads"]

Name = tuple[str, int]

READERS = {
    "application": frozenset({"get_env", "get_all_env"}),
    "Elixir.Application": frozenset({"get_env", "fetch_env", "fetch_env!", "get_all_env"}),
}
STARTS = frozenset({("init", 1), ("start", 2), ("child_spec", 1)})
REPO = "Elixir.Ecto.Repo"
"""A repo reads the key of its own name when it starts (Ecto.Repo.Supervisor)."""

ANY = None
"""The key of a read that code alone does not tell."""

RESTART_IT = (
    "Restart what reads it (restart_application in the appup, or its child), or take it over in "
    "the application's config_change/3."
)


def config_at_start(before: Running, after: Running) -> Iterator[Reason]:
    """The keys that change and that NEW reads only where something starts."""
    changes: dict[tuple[str, str], list[KeyChange]] = {}
    for change in config_keys(before, after):
        changes.setdefault((change.application, change.path[0]), []).append(change)
    if not changes:
        return
    readers = _readers(after, {application for application, _ in changes})
    for (application, key), below in changes.items():
        found = readers.get((application, key), {})
        if not found or not all(found.values()) or _anywhere(readers.get((application, ANY), {})):
            continue
        yield Reason(
            Verdict.HOT,
            "config-at-start",
            f"{listed(map(str, below))}: read only when {modules_listed(found)} starts, so what "
            "runs keeps the old value",
            RESTART_IT,
            application,
            str(below[0]) if len(below) == 1 else f"{application}/{key}",
        )


def reads(assembly: Assembly, application: str) -> Iterator[tuple[str, str | None, Name]]:
    """Application, key and the function that reads it; the key is ANY where code does not tell.

    `application` is the one that the module belongs to, whose keys `application:get_env/1` reads.
    Reads of an application that code does not tell are left out.
    """
    for name, function in assembly.functions.items():
        held: dict[Register, Atom] = {}
        for instruction in function.instructions:
            operands = instruction.operands
            if instruction.name == "label":
                held = {}
            elif instruction.name == "move":
                match operands:
                    case (Atom() as atom, Register() as to):
                        held[to] = atom
                    case (_, Register() as to):
                        held.pop(to, None)
            for operand in operands:
                if isinstance(operand, External) and _is_read(operand):
                    x0, x1 = held.get(Register("x", 0)), held.get(Register("x", 1))
                    is_own = operand.module == "application" and (
                        (operand.arity < 2 and operand.function == "get_env") or operand.arity == 0
                    )
                    of, key = (Atom(application), x0) if is_own else (x0, x1)
                    if of is not None:
                        takes_key = operand.function != "get_all_env" and key is not None
                        yield str(of), str(key) if takes_key else ANY, name
            if instruction.name.startswith("call"):
                held = {to: atom for to, atom in held.items() if to.kind == "y"}


def _is_read(called: External) -> bool:
    return called.function in READERS.get(called.module, ())


def _anywhere(found: Mapping[str, bool]) -> bool:
    return not all(found.values())


def _readers(
    running: Running, applications: set[str]
) -> Mapping[tuple[str, str | None], Mapping[str, bool]]:
    """By key the modules that read it, each with whether it does so only where it starts."""
    found: dict[tuple[str, str | None], dict[str, bool]] = {}
    for application in running.applications.values():
        if application.origin is Origin.OTP:
            continue
        for module in running.code(application.name).modules:
            file = running.module(application.name, module)
            if not _may_read(file):
                continue
            try:
                assembly = disassemble(file)
            except ModuleError:
                continue
            if REPO in assembly.behaviours:
                found.setdefault((application.name, module), {})[module] = True
            for of, key, name in reads(assembly, application.name):
                if of in applications:
                    at_start = _only_at_start(assembly, name)
                    place = found.setdefault((of, key), {})
                    place[module] = place.get(module, True) and at_start
    return found


def _may_read(file: bytes) -> bool:
    """Reading the imports is far cheaper than reading the code."""
    calls = imported(file)
    return any(
        call.partition(":")[2].partition("/")[0] in READERS.get(call.partition(":")[0], ())
        for call in calls
    ) or any(call.startswith(f"{REPO}.") for call in calls)


def _only_at_start(assembly: Assembly, name: Name) -> bool:
    """Whether all exported functions that lead to it are called to start something."""
    callers = _callers(assembly)
    seen: set[Name] = set()
    ways: list[Name] = [name]
    while ways:
        at = ways.pop()
        if at not in seen:
            seen.add(at)
            ways += callers.get(at, ())
    entries = seen & assembly.exports
    return bool(entries) and all(
        entry in STARTS or entry[0] == "start_link" or (entry == ("init", 2) and _is_repo(assembly))
        for entry in entries
    )


def _is_repo(assembly: Assembly) -> bool:
    return REPO in assembly.behaviours


def _callers(assembly: Assembly) -> Mapping[Name, Sequence[Name]]:
    """Who calls a local function, or makes a fun of it."""
    found: dict[Name, list[Name]] = {}
    for name, function in assembly.functions.items():
        for instruction in function.instructions:
            if not instruction.name.startswith(("call", "make_fun")):
                continue
            for operand in instruction.operands:
                entry = 0
                if isinstance(operand, Label):
                    entry = operand.number
                elif isinstance(operand, Lambda):
                    entry = operand.entry
                if called := assembly.entries.get(entry):
                    found.setdefault((called.name, called.arity), []).append(name)
    return found
