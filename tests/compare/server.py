"""An application to be asked, with real sockets and a log of its own: what the probe reports is
held against what this end saw."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import WSMsgType, web

__all__ = ["Server", "serving"]

Value = TypeVar("Value")


@dataclass(slots=True)
class Server:
    """Speaks HTTP and WebSockets (`/live`) on `http`, lines on `line`, and HTTP by hand on `page`.

    It runs in a thread of its own; the methods may be called from any other.
    """

    version: str = "1.0"
    count: int = 0
    status: int = 200
    welcome: bool = False
    """Whether the line service speaks first."""
    last_word: bool = False
    """Whether pages are answered with `Connection: close`."""
    http: int = 0
    line: int = 0
    page: int = 0
    held: dict[asyncio.BaseTransport, int] = field(default_factory=dict)
    """The held connections, and how often each spoke since it was there or all were stalled. One
    that spoke twice has been answered between."""
    heard: list[float] = field(default_factory=list)
    """When a held connection said something."""
    opened: list[float] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _free: asyncio.Event = field(default_factory=asyncio.Event)
    _runners: list[web.AppRunner] = field(default_factory=list)
    _listeners: dict[str, asyncio.Server] = field(default_factory=dict)

    def start(self) -> None:
        """Listen on all three ports."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._run(self._start())

    def cut(self) -> float:
        """Reset every held connection; when."""
        return self._run(self._cut())

    def finish(self) -> float:
        """Close every held connection as servers do, with FIN; when."""
        return self._run(self._finish())

    def refuse(self) -> float:
        """Listen no more; when."""
        return self._run(self._refuse())

    def accept(self) -> float:
        """Listen again; when."""
        return self._run(self._accept())

    def stall(self) -> float:
        """Answer nobody; when."""
        return self._run(self._stall())

    def go_on(self) -> float:
        """Answer all; when."""
        return self._run(self._go_on())

    def stop(self) -> None:
        """Be gone."""
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, work: Coroutine[object, object, Value]) -> Value:
        future: Future[Value] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(60)

    async def _start(self) -> None:
        self._free.set()
        await self._accept()

    async def _accept(self) -> float:
        app = web.Application()
        app.router.add_get("/", self._home)
        app.router.add_get("/live", self._live)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._runners.append(runner)
        await runner.setup()
        assert runner.server is not None
        self._listeners = {
            "http": await self._loop.create_server(
                runner.server, "127.0.0.1", self.http, backlog=4096
            ),
            "line": await asyncio.start_server(self._lines, "127.0.0.1", self.line, backlog=4096),
            "page": await asyncio.start_server(self._pages, "127.0.0.1", self.page, backlog=4096),
        }
        for name, listener in self._listeners.items():
            setattr(self, name, listener.sockets[0].getsockname()[1])
        return time.monotonic()

    async def _stop(self) -> None:
        self._free.set()
        await self._refuse()
        await self._cut()
        for runner in self._runners:
            await runner.cleanup()

    async def _refuse(self) -> float:
        for listener in self._listeners.values():
            listener.close()
        return time.monotonic()

    async def _stall(self) -> float:
        self._free.clear()
        self.held = dict.fromkeys(self.held, 0)
        return time.monotonic()

    async def _go_on(self) -> float:
        at = time.monotonic()
        self._free.set()
        return at

    async def _cut(self) -> float:
        at = time.monotonic()
        for transport in list(self.held):
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
        self.held.clear()
        return at

    async def _finish(self) -> float:
        at = time.monotonic()
        for transport in list(self.held):
            transport.close()
        self.held.clear()
        return at

    async def _home(self, request: web.Request) -> web.Response:
        await self._free.wait()
        self.count += 1
        return web.json_response(
            {"about": {"version": self.version}, "count": self.count},
            status=self.status,
            headers={"x-imagesmith-server": "app-1"},
        )

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        opened = time.monotonic()  # before the client can know of it
        await socket.prepare(request)
        assert request.transport is not None
        with self._holding(request.transport, opened), suppress(ConnectionResetError):
            async for message in socket:
                self._hear(request.transport)
                await self._free.wait()
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
        return socket

    async def _lines(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._holding(writer.transport), suppress(OSError):
            if self.welcome:
                await self._free.wait()
                writer.write(b"welcome\n")
            while await reader.readline():
                self._hear(writer.transport)
                await self._free.wait()
                writer.write(b"pong\n")

    async def _pages(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            self._holding(writer.transport),
            suppress(OSError, asyncio.IncompleteReadError),
        ):
            while await reader.readuntil(b"\r\n\r\n"):
                self._hear(writer.transport)
                await self._free.wait()
                body = json.dumps({"version": self.version}).encode()
                writer.write(b"HTTP/1.1 %d Whatever\r\n" % self.status)
                if self.last_word:
                    writer.write(b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
                    writer.write(body)
                    return
                writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
                writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    def _hear(self, transport: asyncio.BaseTransport) -> None:
        self.heard.append(time.monotonic())
        if transport in self.held:
            self.held[transport] += 1

    @contextmanager
    def _holding(
        self, transport: asyncio.BaseTransport, opened: float | None = None
    ) -> Iterator[None]:
        self.held[transport] = 0
        self.opened.append(time.monotonic() if opened is None else opened)
        try:
            yield
        finally:
            self.held.pop(transport, None)
            transport.close()


@contextmanager
def serving(**settings: str | int | bool) -> Iterator[Server]:
    """A server, until the end of the context."""
    server = Server()
    for name, value in settings.items():
        setattr(server, name, value)
    server.start()
    try:
        yield server
    finally:
        server.stop()
