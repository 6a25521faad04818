"""What a held connection can do, whatever it speaks."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

__all__ = ["Closed", "Connection", "Open", "words"]


class Closed(Exception):
    """The connection is over. `ordinary`: in a way that HTTP/1.1 provides for between two requests,
    so that the client just opens another."""

    def __init__(self, message: str, *, ordinary: bool = False) -> None:
        super().__init__(message)
        self.ordinary = ordinary


class Connection(Protocol):
    """A connection of a client; `hear` tells when it is over."""

    live_at_once: bool
    """Whether it is live when it is open, or only from the first `hear` on."""

    def say(self) -> None:
        """Say what the application has to answer; raises nothing."""

    async def hear(self) -> bool:
        """Wait for the application to send something: whether it answers what was said. Raises
        Closed or OSError when the connection is over."""

    async def close(self) -> None:
        """Let go of it, hardly waiting; raises nothing."""


Open: TypeAlias = Callable[[], Awaitable[Connection]]
"""Opens one; raises Closed or OSError."""


def words(error: Exception) -> str:
    """The same words for the same failure: asyncio's own hold an address."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
