"""A whole load: connections are held and requests sent until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import aiohttp

from imagesmith.compare.probe.connection import Open
from imagesmith.compare.probe.held import Held
from imagesmith.compare.probe.lines import Line
from imagesmith.compare.probe.pages import Page
from imagesmith.compare.probe.reconnect import Waits
from imagesmith.compare.probe.schedule import Schedule
from imagesmith.compare.probe.spec import Address, Spec
from imagesmith.compare.probe.thread import LoopThread
from imagesmith.compare.probe.websocket import Socket
from imagesmith.compare.run import Load
from imagesmith.compare.workload import Hold, HoldHttp, HoldTcp
from imagesmith.errors import CompareError

__all__ = ["carry"]

APART = 0.002
"""Seconds between two connections' first tries, so that no backlog overflows before it is meant
to."""
LOOK = 0.02


Began: TypeAlias = Callable[[float, Callable[[], int]], None]
"""Told when all connections are live: the time, and what says how many are not, from then on."""


async def carry(spec: Spec, began: Began, stop: asyncio.Event) -> Load | None:
    """Hold the connections, tell when all are live, send requests until `stop`. None when it was
    stopped before; CompareError when the application is not there."""
    schedule = Schedule(spec.workload, spec.http)
    async with _sending(schedule) as thread, _session() as session:
        asks = spec.workload.path is not None
        if asks and (failure := await thread.run(schedule.first())):
            raise CompareError(
                f"GET {spec.workload.path} of the application at {spec.http[0]}:{spec.http[1]}: "
                f"{failure}"
            )
        clients = _clients(spec, session)
        async with _kept(clients):
            if not await _all_live(clients, spec, stop):
                return None
            start = time.monotonic()
            began(start, lambda: len(_missing(clients)))
            sending = asyncio.create_task(thread.run(schedule.send(start))) if asks else None
            await stop.wait()
            ended = time.monotonic()
            seen = [client.seen(start, ended) for client in clients]
            schedule.ended = ended
        if sending:
            await sending
        await thread.run(schedule.settle())
        return Load(
            seconds=ended - start,
            requests=sorted(schedule.requests, key=lambda request: request.due),
            clients=seen,
        )


@asynccontextmanager
async def _sending(schedule: Schedule) -> AsyncIterator[LoopThread]:
    """A thread in which the schedule is open."""
    with LoopThread() as thread:
        await thread.run(schedule.open())
        try:
            yield thread
        finally:
            await thread.run(schedule.close())


def _session() -> aiohttp.ClientSession:
    """For WebSockets, as many as there are."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    )


def _clients(spec: Spec, session: aiohttp.ClientSession) -> list[Held]:
    hold = spec.workload.hold
    if hold is None:
        return []
    count = spec.workload.connections
    now = time.monotonic()
    return [
        Held(
            number,
            _opens(spec.hold, hold, session),
            every=hold.every,
            phase=now + hold.every * number / count,
            waits=Waits(number, spec.workload.jitter),
        )
        for number in range(count)
    ]


def _opens(there: Address, hold: Hold, session: aiohttp.ClientSession) -> Open:
    if isinstance(hold, HoldTcp):
        return lambda: Line.open(there, hold.say)
    if isinstance(hold, HoldHttp):
        return lambda: Page.open(there, hold.path)
    return lambda: Socket.open(session, there, hold.path, hold.say)


@asynccontextmanager
async def _kept(clients: Sequence[Held]) -> AsyncIterator[None]:
    """Each is kept live by a task of its own."""

    async def keep(client: Held) -> None:
        await asyncio.sleep(client.number * APART)
        await client.keep()

    tasks = [asyncio.create_task(keep(client)) for client in clients]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended  # no client may end otherwise, and be taken for one that lives


async def _all_live(clients: Sequence[Held], spec: Spec, stop: asyncio.Event) -> bool:
    """Wait until all are; False when it was stopped before."""
    until = time.monotonic() + spec.within
    while missing := _missing(clients):
        if stop.is_set():
            return False
        if time.monotonic() > until:
            troubles = Counter(client.trouble or "not answered yet" for client in missing)
            raise CompareError(
                f"{len(missing)} of {len(clients)} held connections to "
                f"{spec.hold[0]}:{spec.hold[1]} did not come up within {spec.within:g} s: "
                f"{troubles.most_common(1)[0][0]}"
            )
        await asyncio.sleep(LOOK)
    return True


def _missing(clients: Sequence[Held]) -> list[Held]:
    return [client for client in clients if not client.is_live]
