"""Load on a shop while it is upgraded: held connections, and requests at a fixed rate.

It runs in a thread of its own, so that a test can run `imagesmith upgrade` meanwhile. Requests are
sent when they are due, whether or not the ones before have been answered: a pause then shows in
each of them, and in full.
"""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from tests.pet.http import Connections, Request
from tests.pet.lines import Line

__all__ = ["Load", "load_on"]

PATHS = ("/", "/count", "/describe", "/config")
LONGEST = 600.0
"""Seconds after which a load ends by itself, whatever became of its test."""
AT_ONCE = 64

Value = TypeVar("Value")


@dataclass(slots=True)
class Load:
    """What is held, and what has been answered so far. Made by `load_on`."""

    http_port: int
    line_port: int
    rate: float
    lines: list[Line] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    began: float = 0.0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _stopped: bool = False

    def now(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self.began

    def ping_all(self) -> Counter[str]:
        """Every held connection speaks: how many were answered by which version."""
        return Counter(self._run(self._each("ping")))

    def ask_all(self, word: str) -> Counter[str]:
        """Every held connection says it: the answers, and how often."""
        return Counter(self._run(self._each(word)))

    def ask(self, word: str) -> str:
        """One held connection says it: the answer."""
        return self._run(self.lines[0].ask(word))

    def failures(self) -> list[str]:
        """All that went wrong since the beginning, dropped connections among it."""
        dropped = [f"line {line.number}: dropped" for line in self.lines if line.is_dropped()]
        refused = [
            f"{request.path} at {request.due:.2f} s: {request.failure}"
            for request in list(self.requests)
            if request.failure
        ]
        return [said for line in self.lines for said in line.failures] + dropped + refused

    def answered(self, path: str, since: float = 0.0, until: float = LONGEST) -> list[Request]:
        """The requests to a page that were due in that time, in order."""
        found = [item for item in self.requests if item.path == path and since <= item.due < until]
        return sorted(found, key=lambda item: item.due)

    def pause(self, since: float = 0.0, until: float = LONGEST) -> float:
        """Seconds that the slowest answer took which was due in that time, from when it was due."""
        late = [item.seconds for item in list(self.requests) if since <= item.due < until]
        return max(late, default=0.0)

    async def _each(self, word: str) -> list[str]:
        if word == "ping":
            return await asyncio.gather(*(line.ping() for line in self.lines))
        return await asyncio.gather(*(line.ask(word) for line in self.lines))

    async def _open(self, held: int) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> Line:
            async with gate:
                return await Line.open(number, self.line_port)

        self.lines = await asyncio.gather(*(one(number) for number in range(held)))

    async def _drive(self) -> None:
        """At each tick one request, and one ping on one of the held connections."""
        connections = Connections(self.http_port)
        self.began = time.monotonic()
        tick = 0
        async with asyncio.TaskGroup() as tasks:
            while not self._stopped and (due := tick / self.rate) < LONGEST:
                await asyncio.sleep(max(0.0, due - self.now()))
                path = PATHS[tick % len(PATHS)]
                # Half of them on kept connections; on each path both kinds.
                keep = (tick // len(PATHS)) % 2 == 0
                tasks.create_task(self._request(connections, path, due, keep=keep))
                if self.lines:
                    tasks.create_task(self.lines[tick % len(self.lines)].ping())
                tick += 1
        connections.close()

    async def _request(self, to: Connections, path: str, due: float, *, keep: bool) -> None:
        answer, failure = await to.get(path, keep=keep)
        self.requests.append(Request(path, due, self.now() - due, answer, failure))

    def _run(self, work: Coroutine[None, None, Value]) -> Value:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LONGEST)


@contextmanager
def load_on(
    http_port: int, line_port: int, *, held: int = 1000, rate: float = 50.0
) -> Iterator[Load]:
    """Hold connections and send `rate` requests a second until the end; ports of 127.0.0.1."""
    _allow_files(held + 1000)
    load = Load(http_port, line_port, rate)
    thread = threading.Thread(target=load._loop.run_forever, daemon=True)
    thread.start()
    try:
        load._run(load._open(held))
        driving = asyncio.run_coroutine_threadsafe(load._drive(), load._loop)
        try:
            yield load
        finally:
            load._stopped = True
            driving.result(LONGEST)
            load._run(_close(load.lines))
    finally:
        load._loop.call_soon_threadsafe(load._loop.stop)
        thread.join(10)
        load._loop.close()


async def _close(lines: list[Line]) -> None:
    for line in lines:
        if line.is_dropped():
            line.failures.append(f"line {line.number}: dropped")
        line.release()


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
