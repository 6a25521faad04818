"""Two engines at once: one pushes, the other does the rest."""

from __future__ import annotations

from collections.abc import Sequence

from imagesmith.engine.engine import Delivered, Delivery, Engine, Output, RegistryOutput

__all__ = ["SplitEngine"]


class SplitEngine:
    """Pushes through one engine, and delivers everything else through another."""

    def __init__(self, other: Engine, pushing: Engine) -> None:
        self._other = other
        self._pushing = pushing

    @property
    def name(self) -> str:
        """Both."""
        return f"{self._other.name} and {self._pushing.name}"

    def deliver(self, deliveries: Sequence[Delivery], output: Output) -> list[Delivered]:
        """See Engine."""
        engine = self._pushing if isinstance(output, RegistryOutput) else self._other
        return engine.deliver(deliveries, output)
