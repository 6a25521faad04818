"""What changes below supervisors, and in what an application does when it starts."""

from __future__ import annotations

from collections.abc import Iterator

from imagesmith.beam.assembly import Assembly, External, Label, Lambda, Literal
from imagesmith.beam.evaluate import Call, calls_made
from imagesmith.beam.term import Atom
from imagesmith.plan.children import (
    Child,
    Difference,
    application_module,
    below,
    changed_supervisors,
    finder,
    obstacle,
)
from imagesmith.plan.code import Running
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.specs import without_funs
from imagesmith.plan.tree import reached_differences
from imagesmith.plan.words import listed

__all__ = ["children_reasons", "start_reasons"]

BY_APPUP = "Nothing to do: the generated appup does it."
GOES_ON = "Nothing to do, where it may wait; else end it: its supervisor starts it again."
BY_HAND = "Write an appup for it, or restart the node with NEW."
AT_RESTART = (
    "Restart the node with NEW, or write an appup whose `apply` does what start/2 newly does."
)
CONSTANT = (
    "Name the children in one list whose modules and ids are constants, or write the appup by hand."
)

PURE = frozenset(
    "erlang lists maps Elixir.Access Elixir.Enum Elixir.Kernel Elixir.Keyword Elixir.List "
    "Elixir.Map Elixir.Module Elixir.String Elixir.String.Chars".split()
)
"""Modules whose functions only compute."""
READS = frozenset({"get_env", "fetch_env", "fetch_env!", "get_all_env", "child_spec"})
STARTERS = frozenset({"supervisor", "Elixir.Supervisor"})


def children_reasons(before: Running, after: Running) -> Iterator[Reason]:
    """Each child that comes, goes or changes: a remark where an appup does it, else a restart.

    And each supervisor whose children cannot be known, where what its code names has changed.
    """
    for application in _both(before, after):
        for difference in reached_differences(before, after, application):
            for child in difference.added:
                yield _reason(difference, "child-added", child)
            for child in difference.removed:
                yield _reason(difference, "child-removed", child)
            for was, child in difference.changed:
                yield _reason(difference, "child-changed", child, was)
        yield from _unknown(before, after, application)


def start_reasons(before: Running, after: Running) -> Iterator[Reason]:
    """Applications whose `start/2` comes, or does something else than before."""
    for application in _both(before, after):
        old, new = (application_module(side, application) for side in (before, after))
        if new is None:
            continue
        if old is None:
            name = new.removeprefix("Elixir.")
            says = f"{application} has nothing that starts in OLD, and {name} in NEW"
            yield Reason(
                Verdict.RESTART, "start-changed", says, BY_HAND, application, f"{name}.start/2"
            )
            continue
        if old == new and before.code(application).modules.get(old) == after.code(
            application
        ).modules.get(new):
            continue
        sides = finder(before)(old), finder(after)(new)
        if sides[0] and sides[1] and (what := _effects_changed(sides[0], sides[1])):
            name = new.removeprefix("Elixir.")
            yield Reason(
                Verdict.HOT,
                "start-changed",
                f"{name}.start/2 {what}, which an upgrade does not run",
                AT_RESTART,
                application,
                f"{name}.start/2",
            )


def _both(before: Running, after: Running) -> list[str]:
    """The applications in both releases, in another version: no other has changed."""
    old, new = before.applications, after.applications
    return [name for name in old if name in new and old[name].version != new[name].version]


WORDS = {
    "child-added": "has a new child",
    "child-removed": "no longer has the child",
    "child-changed": "specifies otherwise the child",
}


def _reason(difference: Difference, kind: str, child: Child, was: Child | None = None) -> Reason:
    says = f"{_place(difference)} {WORDS[kind]} {child.name}"
    verdict, way_out = Verdict.HOT, BY_APPUP
    if was and was.start == child.start:
        says += ", which goes on as it is until it is started again"
        way_out = GOES_ON
    elif why := obstacle(difference, child) or (obstacle(difference, was) if was else None):
        says += f", and no appup can start or end it: {why}"
        verdict, way_out = Verdict.RESTART, BY_HAND
    elif was:
        says += ", which is started anew: the state that it holds is gone"
    return Reason(verdict, kind, says, way_out, difference.application, child.name)


def _place(difference: Difference) -> str:
    module = difference.module.removeprefix("Elixir.")
    if not difference.of_application:
        return module
    if difference.supervisor is not None:
        return str(difference.supervisor).removeprefix("Elixir.")
    return f"the supervisor of {module}.start/2"


def _unknown(before: Running, after: Running, application: str) -> Iterator[Reason]:
    """Supervisors whose children code does not tell, and which name other things than before."""
    finds = finder(before), finder(after)
    for old, new, of_application in changed_supervisors(before, after, application):
        assemblies = finds[0](old), finds[1](new)
        if assemblies[0] is None or assemblies[1] is None:
            continue
        known = [
            below(side, application, module, find, of_application=of_application)
            for side, find, module in ((before, finds[0], old), (after, finds[1], new))
        ]
        function = ("start", 2) if of_application else ("init", 1)
        if None in known and _named(assemblies[0], function) != _named(assemblies[1], function):
            name = f"{new.removeprefix('Elixir.')}.{function[0]}/{function[1]}"
            says = (
                f"{name} changed, and which children it names is known at run time alone: one "
                "that comes or goes would be missed"
            )
            yield Reason(Verdict.RESTART, "child-changed", says, CONSTANT, application, name)


VALUES = frozenset("move put_list put_tuple2 put_map_assoc put_map_exact swap".split())
"""Instructions whose integers are values, and no sizes or places."""


def _named(assembly: Assembly, start: tuple[str, int]) -> set[str]:
    """The functions, atoms and constants of a function and of the local ones that it calls."""
    found: set[str] = set()
    seen: set[tuple[str, int]] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in assembly.functions:
            continue
        seen.add(name)
        for instruction in assembly.functions[name].instructions:
            if instruction.name == "func_info":
                continue
            for operand in (item for given in instruction.operands for item in _flat(given)):
                entry = 0
                match operand:
                    case Label(number):
                        entry = number
                    case Lambda():
                        entry = operand.entry
                    case Atom() | External() | Literal():
                        found.add(repr(operand))
                    case int() if instruction.name in VALUES:
                        found.add(repr(operand))
                if called := assembly.entries.get(entry):
                    waiting.append((called.name, called.arity))
    return found


def _flat(operand: object) -> Iterator[object]:
    if isinstance(operand, tuple):
        for item in operand:
            yield from _flat(item)
    else:
        yield operand


def _effects_changed(old: Assembly, new: Assembly) -> str | None:
    """What `start/2` does else than before, besides starting children."""
    ours, theirs = _effects(old), _effects(new)
    names, others = ({_called(call) for call in side.values()} for side in (ours, theirs))
    words = []
    if added := others - names:
        words.append(f"newly calls {listed(added)}")
    if removed := names - others:
        words.append(f"no longer calls {listed(removed)}")
    if not words:
        changed = {_called(theirs[key]) for key in theirs.keys() - ours.keys()}
        changed |= {_called(ours[key]) for key in ours.keys() - theirs.keys()}
        if changed:
            words.append(f"calls {listed(changed)} with something else")
    return " and ".join(words) or None


def _effects(assembly: Assembly) -> dict[str, Call]:
    """The calls of `start/2` that may have an effect, but for children, by what they are given.

    Of a supervisor only its options count here: they are what it keeps from its start.
    """
    found: dict[str, Call] = {}
    for call in calls_made(assembly, "start", 2):
        if call.module in PURE or call.function in READS:
            continue
        given = call.arguments
        if call.module in STARTERS:
            if call.function != "start_link":
                continue
            given = given[1:] if len(given) == 2 and call.module != "supervisor" else given
        found[repr((call.module, call.function, without_funs(given)))] = call
    return found


def _called(call: Call) -> str:
    module = call.module.removeprefix("Elixir.")
    return f"{module}.{call.function}/{len(call.arguments)}"
