"""Requests on a fixed schedule, each sent when it is due, whatever became of those before.

An open model: a client that waits for one answer before it sends the next request stops measuring
just when the application pauses ("coordinated omission"). Here the pause is in every request that
was due in it.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import replace

import aiohttp

from imagesmith.compare.probe.connection import words
from imagesmith.compare.probe.spec import Address
from imagesmith.compare.run import Request
from imagesmith.compare.workload import Workload

__all__ = ["SERVER", "TIMEOUT", "Schedule"]

SERVER = "x-imagesmith-server"
"""The header in which the balancer names the container that answered."""
TIMEOUT = 10.0
"""Seconds from when a request was due, after which it has failed."""
KEPT = 8
"""How many clients send requests on connections that they keep. They take turns; one that still
waits for an answer opens another connection."""


class Schedule:
    """The requests of a workload, from `began`, a time of `time.monotonic`, on, between `open`
    and `close`. Every second request has a connection of its own."""

    def __init__(self, workload: Workload, address: Address) -> None:
        host, port = address
        self.requests: list[Request] = []
        self.ended = math.inf
        self._workload = workload
        self._url = f"http://{host}:{port}{workload.path}"
        self._kept: list[aiohttp.ClientSession] = []
        self._fresh: aiohttp.ClientSession | None = None
        self._sent: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None

    async def open(self) -> None:
        """In the loop in which all the rest is done."""
        self._kept = [_session(close=False) for _ in range(KEPT)]
        self._fresh = _session(close=True)

    async def close(self) -> None:
        """Wait for nobody any more."""
        for task in self._sent:
            task.cancel()
        for session in (*self._kept, self._fresh):
            if session is not None:
                await session.close()

    async def first(self) -> str | None:
        """Send one request now: why it failed, or None."""
        return (await self._ask(self._of(1), time.monotonic())).failure

    async def send(self, began: float) -> None:
        """All that are due before `ended` is set to an earlier time."""
        number = 0
        while True:
            due = began + number / self._workload.rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if due >= self.ended:
                return
            task = asyncio.create_task(self._one(self._of(number), began, due))
            self._sent.add(task)
            task.add_done_callback(self._done)
            number += 1

    async def settle(self) -> None:
        """Wait for what was sent: each answer comes, or fails, in its time."""
        if self._sent:
            await asyncio.wait(self._sent)
        if self._broken is not None:
            raise self._broken

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sent.discard(task)
        if not task.cancelled():
            self._broken = self._broken or task.exception()

    def _of(self, number: int) -> aiohttp.ClientSession:
        if number % 2 and self._fresh is not None:
            return self._fresh
        return self._kept[number // 2 % KEPT]

    async def _one(self, session: aiohttp.ClientSession, began: float, due: float) -> None:
        late = time.monotonic() - due
        self.requests.append(replace(await self._ask(session, due, began), late=late))

    async def _ask(self, session: aiohttp.ClientSession, due: float, began: float = 0.0) -> Request:
        failure, server = None, None
        body = b""
        try:
            async with (
                asyncio.timeout_at(due + TIMEOUT),
                session.get(self._url, allow_redirects=False) as response,
            ):
                server = response.headers.get(SERVER)
                body = await response.read()
                if not 200 <= response.status < 400:
                    failure = str(response.status)
        except TimeoutError:
            failure = f"no answer within {TIMEOUT:g} s"
        except (aiohttp.ClientError, OSError) as error:
            failure = _words(error)
        seconds = time.monotonic() - due
        asked = self._workload.version, self._workload.state
        version, state = (None, None) if failure or asked == (None, None) else _read(body, *asked)
        return Request(
            due=due - began,
            seconds=seconds,
            version=version,
            server=server,
            state=state,
            failure=failure,
        )


def _session(*, close: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=close),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "closed without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "closed in the middle of an answer"
    return words(error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error)


def _read(body: bytes, version: str | None, state: str | None) -> tuple[str | None, int | None]:
    """The version and the state that a JSON object tells; None each where it does not."""
    try:
        document: object = json.loads(body)
    except ValueError:
        return None, None
    told, count = _at(document, version), _at(document, state)
    return (
        str(told) if isinstance(told, str | int | float) else None,
        count if isinstance(count, int) and not isinstance(count, bool) else None,
    )


def _at(document: object, path: str | None) -> object:
    """What a dotted path leads to: `a.b` to the `b` of `a`, or to a key that is so called."""
    if path is None or not isinstance(document, dict):
        return None
    if path in document:
        return document[path]
    first, dot, rest = path.partition(".")
    return _at(document.get(first), rest) if dot else None
