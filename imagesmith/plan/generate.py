"""The appup (OTP: appup(4)) of an application that brings none, from the code of both versions.

A module whose code did not change needs no instruction. Of the others:

- one whose processes can take over their state, because it has a `code_change` of its own or is a
  special process, is updated: its processes wait while it and what it calls are loaded;
- a supervisor is updated too, which calls its `init/1` anew and takes its children's
  specifications. That starts and ends no process (OTP Design Principles, Appup Cookbook, "Changing
  a Supervisor"), so children that go are ended before it, and those that come are started after it.
  One whose `init/1` cannot be called twice is loaded;
- any other is loaded.

What is called is loaded before its callers, and on the way down, which is the way up undone, after
them; what is new is loaded first of all, and what goes away is removed last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagesmith.beam.term import Term
from imagesmith.beam.terms import format_term
from imagesmith.plan.again import once_only
from imagesmith.plan.appup import Appup, named
from imagesmith.plan.change import Change
from imagesmith.plan.children import Child, Difference, finder, obstacle
from imagesmith.plan.code import Running, calls, exports_impl
from imagesmith.plan.moved import moves
from imagesmith.plan.order import callees_first
from imagesmith.plan.role import Role, role_of
from imagesmith.plan.step import Step, add, as_listed, change, start, stop
from imagesmith.plan.tree import reached_differences

__all__ = ["GENERATED", "generate"]

GENERATED = "generated"
"""The place of an appup that no file holds."""


def generate(before: Running, after: Running, wanted: Change) -> Appup:
    """The appup of an application that both have, in other versions.

    Raises ReleaseError for a module that cannot be read.
    """
    if wanted.before is None or wanted.after is None:
        raise ValueError(f"{wanted.name} is not in both releases")
    steps = list(_steps(before, after, wanted.name))
    up = [instruction for step in steps for instruction in step.up]
    down = [instruction for step in reversed(steps) for instruction in step.down]
    term: Term = (wanted.after, [(wanted.before, up)], [(wanted.before, down)])
    return Appup(GENERATED, f"%% coding: utf-8\n{format_term(term)}.\n".encode(), up, down)


def _steps(before: Running, after: Running, name: str) -> Iterator[Step]:
    new = after.code(name).modules
    # What moves between applications is neither new nor gone: to remove it would be the end of it.
    moved = {move.module: move.source for move in moves(before, after)}
    came = {module: before.code(moved[module]).modules[module] for module in new.keys() & moved}
    old = {**before.code(name).modules, **came}
    added = {module: after.module(name, module) for module in new if module not in old}
    gone = {
        module: before.module(name, module)
        for module in old
        if module not in new and module not in moved
    }
    changed = {
        module: after.module(name, module)
        for module, digest in new.items()
        if module in old and old[module] != digest
    }
    differences = reached_differences(before, after, name)
    renewed = [_renewed(item) for item in differences]
    homes = {module: before.applications[source] for module, source in moved.items()}
    own, next_own = before.applications[name], after.applications[name]

    def listed(step: Step, module: str) -> Step:
        return as_listed(step, module, homes.get(module, own), next_own)

    for module in _in_order(added):
        yield listed(add(module), module)
    for item, pairs in zip(differences, renewed, strict=True):
        yield from stop(item, (*item.removed, *(was for was, _ in pairs)))
    leaning = _leaning(changed)
    finds = finder(before), finder(after)
    for group in callees_first(leaning):
        for module in group:
            callees = [
                callee
                for callee in sorted(leaning[module])
                if callee in next_own.modules and callee in homes.get(callee, own).modules
            ]
            role = role_of(changed[module])
            if role is Role.SUPERVISOR and any(once_only(module, find) for find in finds):
                role = Role.PLAIN
            yield listed(change(module, role, callees), module)
    for item, pairs in zip(differences, renewed, strict=True):
        yield from start(item, (*item.added, *(child for _, child in pairs)))
    for module in reversed(_in_order(gone)):
        yield listed(add(module).undone, module)


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


def _renewed(difference: Difference) -> list[tuple[Child, Child]]:
    """The changed children, as they were and as they are, that are started otherwise than before.

    One whose specification says the same of its start goes on as it is.
    """
    return [
        (was, child)
        for was, child in difference.changed
        if was.start != child.start
        and not obstacle(difference, was)
        and not obstacle(difference, child)
    ]
