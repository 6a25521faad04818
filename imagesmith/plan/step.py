"""One step of an appup, and what undoes it.

The way down is the way up, each step undone, from the last to the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagesmith.beam.release import Application
from imagesmith.beam.term import Atom, Term
from imagesmith.plan.children import Child, Difference, obstacle
from imagesmith.plan.role import Role
from imagesmith.plan.specs import as_term

__all__ = ["Step", "add", "as_listed", "change", "start", "stop"]


@dataclass(frozen=True, slots=True)
class Step:
    """Instructions (OTP: appup(4)) that do one thing, and those that undo it."""

    up: tuple[Term, ...]
    down: tuple[Term, ...]

    @property
    def undone(self) -> Step:
        """The step back."""
        return Step(self.down, self.up)


def add(module: str) -> Step:
    """A module comes that was not there; undone, it goes."""
    return Step(((Atom("add_module"), Atom(module)),), ((Atom("delete_module"), Atom(module)),))


def change(module: str, role: Role, callees: Sequence[str]) -> Step:
    """A module changes, one that calls `callees` of those that change.

    Both ways alike: systools turns the order of a module and those that it depends on round on the
    way down, and has `code_change` called by the newer module, before the older one is loaded
    (OTP: systools_rc, for modules of the type `dynamic`; a supervisor's is `static`).
    """
    instruction: tuple[Term, ...]
    if role is Role.SUPERVISOR:
        instruction = (Atom("update"), Atom(module), Atom("supervisor"))
    elif role is Role.STATEFUL:
        instruction = (Atom("update"), Atom(module), (Atom("advanced"), []))
    else:
        instruction = (Atom("load_module"), Atom(module))
    if callees and role is not Role.SUPERVISOR:  # this form of update takes no dependencies
        instruction = (*instruction, [Atom(callee) for callee in callees])
    return Step((instruction,), (instruction,))


def as_listed(step: Step, module: str, old: Application, new: Application) -> Step:
    """The step of a module for applications whose resource files may not list it.

    systools knows no such module, and the boot script of an embedded system does not load it. A
    node that has loaded it all the same gets it by instructions that systools takes as they are.
    """
    return Step(_as_listed(step.up, module, new), _as_listed(step.down, module, old))


def _as_listed(
    instructions: tuple[Term, ...], module: str, application: Application
) -> tuple[Term, ...]:
    if module in application.modules or instructions == add(module).down:
        return instructions
    soft = Atom("soft_purge")
    code: Term = (Atom(application.name), application.version, [Atom(module)])
    load: Term = (Atom(module), soft, soft)
    return ((Atom("load_object_code"), code), (Atom("load"), load))


def start(difference: Difference, children: Sequence[Child]) -> Iterator[Step]:
    """Children start, after their supervisor's update; undone, they end before it."""
    for child in children:
        identity = as_term(child.id)
        if difference.supervisor is None or identity is None or obstacle(difference, child):
            continue  # the plan tells of it, and of a restart
        name = difference.supervisor
        begin = _apply("supervisor", "restart_child", name, identity)
        if difference.of_application:
            # No module has their specifications, so that no update brings them.
            spec = as_term(child.spec)
            if spec is None:
                continue
            begin = _apply("Elixir.Supervisor", "start_child", name, spec)
        end = [
            _apply("supervisor", function, name, identity)
            for function in ("terminate_child", "delete_child")
        ]
        yield Step((begin,), tuple(end))


def stop(difference: Difference, children: Sequence[Child]) -> Iterator[Step]:
    """Children end, before their supervisor's update; undone, they start after it."""
    for step in reversed(list(start(difference, children))):
        yield step.undone


def _apply(module: str, function: str, *arguments: Term) -> Term:
    return (Atom("apply"), (Atom(module), Atom(function), list(arguments)))
