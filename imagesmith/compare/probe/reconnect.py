"""How long a client waits before it connects again: as Phoenix's does."""

from __future__ import annotations

from random import Random

__all__ = ["Waits"]

AFTER = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0)
LATER = 5.0
"""Seconds before each try, as `reconnectAfterMs` of assets/js/phoenix/socket.js has them. Its
timer.js counts the tries, and onConnOpen starts anew."""


class Waits:
    """The waits of client `number`, each with up to `jitter` seconds more: the same in every run,
    so that runs are alike. Phoenix's client has no jitter of its own."""

    def __init__(self, number: int, jitter: float) -> None:
        self._jitter = jitter
        self._random = Random(number)  # noqa: S311 (not a secret)
        self._tries = 0

    def opened(self) -> None:
        """A connection is there: the next wait is the shortest again."""
        self._tries = 0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        wait = AFTER[self._tries] if self._tries < len(AFTER) else LATER
        self._tries += 1
        return wait + self._random.uniform(0, self._jitter)
