"""The order in which modules are loaded: what is called before its callers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

__all__ = ["callees_first"]


def callees_first(calls: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Modules in groups, none before a group that it calls; a group calls itself in a circle.

    `calls` has each module's callees; those that are no key of it do not count. The groups are
    the strongly connected components (Tarjan 1972), and equal calls give an equal order.
    """
    groups: list[tuple[str, ...]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_modules: dict[str, None] = {}
    for start in sorted(calls):
        if start in number:
            continue
        # Depth first, by a stack of our own: a chain of calls can be longer than Python's.
        number[start] = lowest[start] = len(number)
        open_modules[start] = None
        above = [(start, _callees(start, calls))]
        while above:
            module, callees = above[-1]
            if callees:
                callee = callees.pop()
                if callee not in number:
                    number[callee] = lowest[callee] = len(number)
                    open_modules[callee] = None
                    above.append((callee, _callees(callee, calls)))
                elif callee in open_modules:
                    lowest[module] = min(lowest[module], number[callee])
                continue
            above.pop()
            if above:
                caller = above[-1][0]
                lowest[caller] = min(lowest[caller], lowest[module])
            if lowest[module] == number[module]:
                group = set()
                while module not in group:
                    group.add(open_modules.popitem()[0])
                groups.append(tuple(sorted(group)))
    return groups


def _callees(module: str, calls: Mapping[str, Collection[str]]) -> list[str]:
    """Last first: they are taken from the end."""
    return sorted((name for name in calls[module] if name in calls), reverse=True)
