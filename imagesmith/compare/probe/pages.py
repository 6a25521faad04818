"""A held HTTP/1.1 connection: one GET after the other.

Not aiohttp's client, for a library's pool does what is to be seen here: it opens another connection
when one was closed, and tells nobody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from imagesmith.compare.probe.connection import Closed
from imagesmith.compare.probe.spec import Address

__all__ = ["Page"]


class Page:
    """Live from the first answer 2xx or 3xx on."""

    live_at_once = False

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nUser-Agent: imagesmith\r\n\r\n"
        ).encode("latin-1")
        self._answered = False
        self._last = False

    @classmethod
    async def open(cls, address: Address, path: str) -> Page:
        """Connect."""
        host, port = address
        return cls(*await asyncio.open_connection(host, port), f"{host}:{port}", path)

    def say(self) -> None:
        """The request."""
        self._writer.write(self._request)

    async def hear(self) -> bool:
        """A whole answer. Closed where it is not 2xx or 3xx, or where none comes; in the ordinary
        way where the connection has answered before and ends with no byte of another answer, or
        said `Connection: close` (RFC 9112, section 9.3.1: a client opens another, and sends a GET
        once more)."""
        if self._last:
            raise Closed("said `Connection: close`", ordinary=True)
        try:
            head = await self._head()
            await self._body(head)
        except asyncio.IncompleteReadError as error:
            raise Closed("closed in the middle of an answer") from error
        except (asyncio.LimitOverrunError, ValueError) as error:
            raise Closed("answered something that is not HTTP/1.1") from error
        if not 200 <= head.status < 400:
            raise Closed(f"answered {head.status}")
        self._answered = True
        self._last = head.last
        return True

    async def close(self) -> None:
        """Reset it: one that hangs would keep a polite end waiting."""
        self._writer.transport.abort()

    async def _head(self) -> _Head:
        while True:
            try:
                text = await self._reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise
                raise Closed("closed", ordinary=self._answered) from error
            except ConnectionError as error:
                raise Closed("reset", ordinary=self._answered) from error
            head = _Head.of(text)
            if head.status >= 200:  # 1xx: another follows (RFC 9110, section 15.2)
                return head

    async def _body(self, head: _Head) -> None:
        """Read past it (RFC 9112, section 6.3)."""
        if head.status in (204, 304):
            return
        if head.chunked:
            while size := int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                await self._reader.readexactly(size + len(b"\r\n"))
            while await self._reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailer fields
        elif head.length is not None:
            await self._reader.readexactly(head.length)
        else:
            await self._reader.read()


@dataclass(frozen=True, slots=True)
class _Head:
    """Of an answer. `last`: the connection carries no other."""

    status: int
    length: int | None
    chunked: bool
    last: bool

    @classmethod
    def of(cls, text: bytes) -> _Head:
        first, *lines = text.decode("latin-1").rstrip("\r\n").split("\r\n")
        protocol, status, *_ = first.split(" ", 2)
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip().lower()
        length = fields.get("content-length")
        chunked = "chunked" in fields.get("transfer-encoding", "")
        said = fields.get("connection", "")
        kept = protocol != "HTTP/1.0" or "keep-alive" in said
        bounded = chunked or length is not None or int(status) in (204, 304)
        return cls(
            status=int(status),
            length=int(length) if length is not None else None,
            chunked=chunked,
            last="close" in said or not kept or not bounded,
        )
