"""A load within this process, for what is seen is the same, and a process takes a second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from imagesmith.compare.probe.load import carry
from imagesmith.compare.probe.spec import Spec
from imagesmith.compare.run import Load
from imagesmith.compare.workload import Hold, HoldHttp, HoldTcp, HoldWebsocket, Workload
from tests.compare.server import Server

__all__ = [
    "HOST",
    "HTTP",
    "ROUNDED",
    "TCP",
    "WEBSOCKET",
    "Running",
    "all_speak",
    "assert_live_all_the_time",
    "load_on",
    "port_of",
    "until",
    "workload",
]

HOST = "127.0.0.1"
ROUNDED = 1e-5
"""Seconds to which a load tells its times."""
TCP = HoldTcp(port=1, say="ping", every=0.1)
WEBSOCKET = HoldWebsocket(path="/live", port=1, every=0.1)
HTTP = HoldHttp(path="/", port=1, every=0.1)


def workload(hold: Hold, *, connections: int = 20, rate: float = 50) -> Workload:
    return Workload(
        path="/",
        port=1,
        version="about.version",
        state="count",
        hold=hold,
        connections=connections,
        rate=rate,
    )


def port_of(server: Server, hold: Hold) -> int:
    return {HoldTcp: server.line, HoldHttp: server.page, HoldWebsocket: server.http}[type(hold)]


@dataclass(slots=True)
class Running:
    """A load that runs in a thread."""

    spec: Spec
    began: float = 0.0
    load: Load | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        begun = threading.Event()

        def began(at: float, missing: Callable[[], int]) -> None:
            self.began = at
            begun.set()

        def run() -> None:
            self.load = self._loop.run_until_complete(carry(self.spec, began, self._stop))

        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert begun.wait(60)

    def stop(self) -> Load:
        self._loop.call_soon_threadsafe(self._stop.set)
        assert self._thread is not None
        self._thread.join()
        self._loop.close()
        assert self.load is not None
        return self.load


@contextmanager
def load_on(
    server: Server, hold: Hold, *, connections: int = 20, rate: float = 50
) -> Iterator[Running]:
    """A load that goes on until it is told to stop, which it has to be."""
    running = Running(
        Spec(
            workload=workload(hold, connections=connections, rate=rate),
            http=(HOST, server.http),
            hold=(HOST, port_of(server, hold)),
            within=60,
        )
    )
    running.start()
    try:
        yield running
    finally:
        if running.load is None:
            running.stop()


def until(what: str, condition: Callable[[], bool]) -> None:
    """Wait for it, and fail when it does not come at all."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def all_speak(server: Server, count: int = 20) -> None:
    """Wait until as many connections, opened since the last cut or stall or answered since, live:
    they have been answered, and this end knows that they know it."""
    until(
        "clients connect again",
        lambda: sum(spoken >= 2 for spoken in list(server.held.values())) >= count,
    )


def assert_live_all_the_time(load: Load) -> None:
    for client in load.clients:
        assert not client.drops
        ((began, ended),) = client.live
        assert began == 0
        assert ended == pytest.approx(load.seconds)
