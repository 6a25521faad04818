"""An event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine
from typing import Self, TypeVar

__all__ = ["LoopThread"]

Value = TypeVar("Value")

_SWITCH = 0.001
"""Seconds that a thread which has work waits for another to let go of the interpreter."""


class LoopThread:
    """A context in which the thread runs. A thousand clients that connect again at once keep their
    loop busy for half a second; what must not be late for that runs here."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        sys.setswitchinterval(_SWITCH)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def run(self, work: Coroutine[object, object, Value]) -> Value:
        """Have it done there; cancelled there when this is."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
