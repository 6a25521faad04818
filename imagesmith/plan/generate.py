"""The appup (OTP: appup(4)) of an application that brings none, from the code of both versions.

A module whose code did not change needs no instruction. Of the others:

- one whose processes can take over their state, because it has a `code_change` of its own or is a
  special process, is updated: its processes wait while it and what it calls are loaded;
- a supervisor is updated too, which calls its `init/1` anew and takes its children's
  specifications; those that come or go are started and stopped besides, as OTP Design Principles
  have it (Appup Cookbook, Changing a Supervisor), since the update starts and ends no process;
- any other is loaded.

The way down is the way up, each step undone, from the last to the first. So what is called is
loaded before its callers on the way up and after them on the way down; what is new is loaded first
of all, and what goes away is removed last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import format_term
from imagesmith.plan.appup import Appup, named
from imagesmith.plan.change import Change
from imagesmith.plan.code import Running, calls, exports_impl
from imagesmith.plan.order import callees_first
from imagesmith.plan.role import Role, role_of

__all__ = ["GENERATED", "generate"]

GENERATED = "generated"
"""The place of an appup that no file holds."""


@dataclass(frozen=True, slots=True)
class Step:
    """Instructions that do one thing, and those that undo it."""

    up: tuple[Term, ...]
    down: tuple[Term, ...]


def generate(before: Running, after: Running, change: Change) -> Appup:
    """The appup of an application that both have, in other versions.

    Raises ReleaseError for a module that cannot be read.
    """
    if change.before is None or change.after is None:
        raise ValueError(f"{change.name} is not in both releases")
    steps = list(_steps(before, after, change.name))
    up = [instruction for step in steps for instruction in step.up]
    down = [instruction for step in reversed(steps) for instruction in step.down]
    term: Term = (change.after, [(change.before, up)], [(change.before, down)])
    return Appup(GENERATED, f"%% coding: utf-8\n{format_term(term)}.\n".encode(), up, down)


def _steps(before: Running, after: Running, name: str) -> Iterator[Step]:
    old, new = before.code(name).modules, after.code(name).modules
    added = {module: after.module(name, module) for module in new if module not in old}
    gone = {module: before.module(name, module) for module in old if module not in new}
    changed = {
        module: after.module(name, module)
        for module, digest in new.items()
        if module in old and old[module] != digest
    }
    for module in _in_order(added):
        yield _add(module)
    leaning = _leaning(changed)
    for group in callees_first(leaning):
        for module in group:
            yield _change(module, changed[module], leaning[module])
    for module in reversed(_in_order(gone)):
        add = _add(module)
        yield Step(add.down, add.up)


def _in_order(files: Mapping[str, bytes]) -> list[str]:
    return [module for group in callees_first(_leaning(files)) for module in group]


def _leaning(files: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """For each of these modules, which of the others it calls; and for an implementation of a
    protocol, `Protocol.Target`, the struct's module."""
    found = {}
    for module, file in files.items():
        callees = set(calls(file))
        if exports_impl(file):
            callees.update(other for other in files if module.endswith(f".{named([other])}"))
        found[module] = frozenset(callees & files.keys() - {module})
    return found


def _add(module: str) -> Step:
    return Step(((Atom("add_module"), Atom(module)),), ((Atom("delete_module"), Atom(module)),))


def _change(module: str, file: bytes, callees: frozenset[str]) -> Step:
    """What loads a module that both versions have; systools turns the order of modules and their
    dependencies round on the way down by itself.

    `code_change` is called in the newer module both ways: on the way down before the older one is
    loaded (OTP: systools_rc, for modules of the type `dynamic`).
    """
    instruction: tuple[Term, ...]
    role = role_of(file)
    if role is Role.SUPERVISOR:
        instruction = (Atom("update"), Atom(module), Atom("supervisor"))
    else:
        instruction = (Atom("load_module"), Atom(module))
        if role is Role.STATEFUL:
            instruction = (Atom("update"), Atom(module), (Atom("advanced"), []))
        if callees:
            instruction = (*instruction, [Atom(callee) for callee in sorted(callees)])
    return Step((instruction,), (instruction,))
