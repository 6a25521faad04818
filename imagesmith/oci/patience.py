"""How long a registry is waited for, and how often it is asked again."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds. `tries` is how often in all a request is made before it has failed.

    `silence` is how long nothing may come in answer, or be taken of what is sent.
    """

    connect: float = 10.0
    silence: float = 60.0
    tries: int = 5
    first_pause: float = 0.3
    longest_pause: float = 30.0

    def pause(self, failures: int, wanted: float | None = None) -> float:
        """How long to wait after so many failures in a row; `wanted` is the server's Retry-After.

        Exponential, with half of it drawn by lot, so that many clients do not come back at once.
        """
        if wanted is not None:
            return min(wanted, self.longest_pause)
        full = min(self.first_pause * 2.0 ** (failures - 1), self.longest_pause)
        return full * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
