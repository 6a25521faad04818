"""One held connection, and those that take its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from imagesmith.compare.probe.connection import Closed, Connection, Open, words
from imagesmith.compare.probe.reconnect import Waits
from imagesmith.compare.run import Client

__all__ = ["ANSWER", "Held"]

ANSWER = 5.0
"""Seconds in which a connection has to open, and what is said on it to be answered. One that hangs
longer is over: no FIN or RST comes of a container whose machine went away, and of a balancer that
waits for a server. Shorter than what Phoenix's client waits for its heartbeat (10 s, and 30 s
before), so that a dead connection is seen; longer than any hot upgrade should suspend a process."""


@dataclass(frozen=True, slots=True)
class _End:
    """When a connection was over, and whether HTTP's ordinary way."""

    at: float
    ordinary: bool = False


class Held:
    """What is kept live for client `number`. Times are of `time.monotonic`, which is the event
    loop's. `phase`: at which time of each `every` seconds it speaks."""

    def __init__(
        self, number: int, open_: Open, *, every: float, phase: float, waits: Waits
    ) -> None:
        self.number = number
        self.trouble: str | None = None
        """Why the last try was none."""
        self._open = open_
        self._every = every
        self._phase = phase
        self._waits = waits
        self._since: float | None = None
        self._live: list[tuple[float, float]] = []
        self._drops: list[float] = []

    @property
    def is_live(self) -> bool:
        """Whether there is a connection that answers."""
        return self._since is not None

    def seen(self, began: float, ended: float) -> Client:
        """What became of it between these times, counted from the first of them."""
        spans = [*self._live, *([(self._since, ended)] if self._since is not None else [])]
        return Client(
            number=self.number,
            live=[
                (max(since, began) - began, min(until, ended) - began)
                for since, until in spans
                if until > began and since < ended
            ],
            drops=[at - began for at in self._drops if began <= at < ended],
        )

    async def keep(self) -> None:
        """Connect, and again whenever the connection is over, until cancelled."""
        while True:
            await self._one()
            await asyncio.sleep(self._waits.next())

    async def _one(self) -> None:
        """One connection, with those that replace it in HTTP's ordinary way, to its end or to the
        end of the try."""
        replaced: _End | None = None
        while True:
            opened = time.monotonic()
            answered_until = opened + ANSWER
            end, was_live = await self._talk(answered_until)
            if not was_live:
                if replaced is not None:
                    self._drop(replaced.at)
                return
            if not end.ordinary:
                self._drop(end.at)
                return
            replaced = end
            # A server that closes after each answer is not asked more often for that.
            await asyncio.sleep(max(0.0, opened + self._every - time.monotonic()))

    async def _talk(self, answered_until: float) -> tuple[_End, bool]:
        """Open a connection and hold it until it is over; whether it ever was live."""
        try:
            async with asyncio.timeout_at(answered_until):
                connection = await self._open()
        except (Closed, OSError, TimeoutError) as error:
            self._failed(error)
            return _End(time.monotonic()), False
        try:
            return await self._hold(connection, answered_until)
        finally:
            await connection.close()

    async def _hold(self, connection: Connection, answered_until: float) -> tuple[_End, bool]:
        live = connection.live_at_once
        if live:
            self._rise()
        voice = _Voice(connection, self._due)
        try:
            async with asyncio.timeout_at(None if live else answered_until) as voice.limit:
                while True:
                    answers = await connection.hear()
                    if not live:
                        live = True
                        voice.limit.reschedule(None)
                        self._rise()
                    if answers:
                        voice.said = None
        except TimeoutError as error:
            self._failed(error)
            return _End(time.monotonic() if voice.said is None else voice.said), live
        except (Closed, OSError) as error:
            self._failed(error)
            return _End(time.monotonic(), isinstance(error, Closed) and error.ordinary), live
        finally:
            voice.timer.cancel()

    def _due(self, now: float) -> float:
        """When to say the next: every client has a phase of its own, whenever it connected, so that
        a thousand that connected at once do not speak at once."""
        whole = (now - self._phase) // self._every + 1
        return self._phase + whole * self._every

    def _rise(self) -> None:
        self._waits.opened()
        if self._since is None:
            self._since = time.monotonic()

    def _drop(self, at: float) -> None:
        if self._since is not None:
            self._live.append((self._since, max(at, self._since)))
            self._drops.append(max(at, self._since))
            self._since = None

    def _failed(self, error: Exception) -> None:
        late = isinstance(error, TimeoutError) and error.errno is None
        self.trouble = f"no answer within {ANSWER:g} s" if late else words(error)


class _Voice:
    """Speaks on a connection when it is due, on a timer, while others wait to hear: a timeout at
    each silence would cost more than all the rest, and one process holds a thousand connections."""

    def __init__(self, connection: Connection, due: Callable[[float], float]) -> None:
        self.limit = asyncio.timeout(None)
        """What runs out when an answer does not come."""
        self.said: float | None = None
        """When that was said which is not answered yet."""
        self._connection = connection
        self._due = due
        self._loop = asyncio.get_running_loop()
        self.timer: asyncio.Handle = self._loop.call_soon(self._speak)

    def _speak(self) -> None:
        now = self._loop.time()
        if self.said is None:
            self._connection.say()
            self.said = now
        elif now >= self.said + ANSWER:
            self.limit.reschedule(now)
            return
        self.timer = self._loop.call_at(min(self._due(now), self.said + ANSWER), self._speak)
