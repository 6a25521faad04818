"""What imagesmith has to reach, and how far a measurement is from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Target", "at_least", "at_most"]


@dataclass(frozen=True, slots=True)
class Target:
    """A limit and what was measured, both as people read them."""

    what: str
    measured: str
    limit: str
    is_reached: bool

    @property
    def distance(self) -> str:
        """Such as `5.2x of 5x: reached`."""
        return f"{self.measured} of {self.limit}: {'reached' if self.is_reached else 'missed'}"


def at_least(what: str, theirs: Sequence[float], ours: float, factor: float) -> Target:
    """We are `factor` times as quick, or as small, as the best of them."""
    found = min(theirs) / ours
    return Target(what, f"{found:.2f}x", f"{factor:g}x", found >= factor)


def at_most(what: str, value: float, limit: float, unit: str = "x", scale: float = 1) -> Target:
    """A value that must not be larger, in a unit of `scale`."""
    return Target(
        what, f"{value / scale:.2f} {unit}", f"at most {limit / scale:g} {unit}", value <= limit
    )
