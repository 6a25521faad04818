"""To wait for something, and to be told that nobody waits any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

__all__ = ["until"]


def until(
    true: Callable[[], bool], seconds: float, ended: Event | None = None, every: float = 0.05
) -> bool:
    """Ask at least once, again and again, for so many seconds; whether it came true.

    Once `ended` is set it is False at the latest when the next question would be due.
    """
    deadline = time.monotonic() + seconds
    ended = ended or Event()
    while not true():
        left = deadline - time.monotonic()
        if left <= 0 or ended.wait(min(every, left)):
            return False
    return True
