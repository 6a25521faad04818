"""Modules that another application has in NEW than in OLD."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagesmith.plan.code import Running
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.words import modules_listed

__all__ = ["Move", "moved_modules", "moves"]

BOTH = "Let it move between applications that OLD and NEW both have, in a release before this one."


@dataclass(frozen=True, slots=True)
class Move:
    """A module, and the applications that have it in OLD and in NEW."""

    module: str
    source: str
    target: str


def moves(before: Running, after: Running) -> Iterator[Move]:
    """Each module that moves. Raises ReleaseError for a module that cannot be read."""
    homes = _homes(before)
    for module, target in _homes(after).items():
        source = homes.get(module)
        if source is not None and source != target:
            yield Move(module, source, target)


def moved_modules(before: Running, after: Running) -> Iterator[Reason]:
    """Modules that move out of an application that goes, or into one that comes.

    OTP removes all modules of an application that goes, wherever they went to: on the way down
    that is the one that came (systools(3), `remove_application`).
    """
    for move in moves(before, after):
        name = modules_listed([move.module])
        says = None
        if move.source not in after.applications:
            says = f"{name} moves from {move.source}, which goes, to {move.target}"
        elif move.target not in before.applications:
            says = f"{name} moves from {move.source} to {move.target}, which is new"
        if says is not None:
            yield Reason(Verdict.RESTART, "module-moved", says, BOTH, move.target, move.module)


def _homes(running: Running) -> dict[str, str]:
    return {module: name for name in running.applications for module in running.code(name).modules}
