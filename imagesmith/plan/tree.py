"""Which supervisors of an application are known to run, and which children lie below which.

An instruction on a supervisor that does not run fails, and after the point of no return a failure
ends the node (OTP: release_handler). So only those count that the application's `start/2` starts,
in every case, or a child of theirs does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from imagesmith.beam.term import Atom
from imagesmith.plan.again import once_only
from imagesmith.plan.children import (
    Child,
    Difference,
    application_children,
    application_module,
    below,
    child_differences,
    finder,
    supervisors,
)
from imagesmith.plan.code import Running
from imagesmith.plan.specs import Find, Specs

__all__ = ["reached_differences"]

Tree = Mapping[str, Sequence[Child]]
"""For each supervisor's module its children, as far as they are known."""


def reached_differences(
    before: Running, after: Running, application: str
) -> tuple[Difference, ...]:
    """As `child_differences`; it is told of each whether its supervisor is known to run.

    One whose supervisor ends and starts with a child of another is left out: it starts with the
    children that NEW has for it.
    """
    found = child_differences(before, after, application)
    if not found:
        return ()
    finds = finder(before), finder(after)
    trees = [
        _tree(running, application, find)
        for running, find in zip((before, after), finds, strict=True)
    ]
    runs = [
        _closure(_roots(running, application, find), tree, lambda child: child.is_certain)
        for running, find, tree in zip((before, after), finds, trees, strict=True)
    ]
    ended = [child for item in found for child in item.removed]
    begun = [child for item in found for child in item.added]
    for item in found:
        for was, child in item.changed:
            if was.start != child.start:
                ended.append(was)
                begun.append(child)
    moved = _closure(_modules(ended), trees[0]) | _closure(_modules(begun), trees[1])
    return tuple(
        replace(
            item,
            is_running=item.of_application or all(item.module in side for side in runs),
            once_only=None if item.of_application else _once_only(item.module, finds),
        )
        for item in found
        if item.of_application or item.module not in moved
    )


def _once_only(module: str, finds: Sequence[Find]) -> str | None:
    return next((what for find in finds if (what := once_only(module, find))), None)


def _tree(running: Running, application: str, find: Find) -> Tree:
    tree: dict[str, Sequence[Child]] = {}
    for module in supervisors(running, application):
        known = below(running, application, module, find, of_application=False)
        tree[module] = known[1] if known else ()
    return tree


def _roots(running: Running, application: str, find: Find) -> set[str]:
    """The modules that `start/2` starts: what it calls `start…` of, and whose name it gives to a
    supervisor's or a process' `start_link`."""
    assembly = find(application_module(running, application) or "")
    if assembly is None:
        return set()
    _, children = application_children(assembly, find)
    found = {child.module for child in children or () if child.module and child.is_certain}
    specs = Specs(assembly, find)
    specs.returned("start", 2, None)
    for call in specs.calls.values():
        if call.function.startswith("start"):
            found.add(call.module)
            found.update(str(item) for item in call.arguments if isinstance(item, Atom))
    return found


def _closure(
    modules: Collection[str], tree: Tree, counts: Callable[[Child], bool] = lambda _child: True
) -> frozenset[str]:
    """These and all that lie below them."""
    found = set(modules)
    waiting = list(modules)
    while waiting:
        for module in _modules(child for child in tree.get(waiting.pop(), ()) if counts(child)):
            if module not in found:
                found.add(module)
                waiting.append(module)
    return frozenset(found)


def _modules(children: Iterator[Child] | Sequence[Child]) -> set[str]:
    return {child.module for child in children if child.module}
