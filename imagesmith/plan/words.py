"""How plans name what differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from imagesmith.plan.appup import named

__all__ = ["differing", "listed", "modules_listed"]

SHOWN = 8


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The names under which the two do not have the same."""
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def modules_listed(names: Collection[str]) -> str:
    """Modules as people write them, and how many more there are."""
    shown = sorted(names)[:SHOWN]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return named(shown) + more


def listed(names: Iterable[str]) -> str:
    """Files or keys, and how many more there are."""
    found = sorted(names)
    shown = ", ".join(found[:SHOWN])
    return shown + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
