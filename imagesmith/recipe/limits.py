"""How much a comparison may be asked for, by a recipe and by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

__all__ = ["CONNECTIONS", "RATE", "REPLICAS", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """From `least` to `most`; None for no end."""

    least: float
    most: float | None = None

    def allow(self, number: float) -> bool:
        """Whether it is a number between them: nan and inf are none."""
        most = inf if self.most is None else self.most
        return isfinite(number) and self.least <= number <= most

    def __str__(self) -> str:
        return f"{self.least} or more" if self.most is None else f"from {self.least} to {self.most}"


CONNECTIONS = Limits(0, 50_000)
RATE = Limits(0, 10_000)
"""Requests a second."""
REPLICAS = Limits(1, 20)
