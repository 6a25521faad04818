"""HTTP requests of which nothing is lost: what was asked, when, what came back, how late."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Connections", "Request"]

PATIENCE = 60.0

Answer = dict[str, Any]
"""The shop's JSON, whose shape is the page's."""


@dataclass(frozen=True, slots=True)
class Request:
    """`due` and `seconds` count from the load's start and from when it was due: a request that
    had to wait for its turn is as late as its user finds it."""

    path: str
    due: float
    seconds: float
    answer: Answer
    failure: str | None = None


@dataclass(slots=True)
class Connections:
    """Requests to one port: on connections that are kept, or each on one of its own.

    The one that has rested longest is taken first, since the shop closes what rests for a minute.
    """

    port: int
    _kept: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=deque)

    async def get(self, path: str, *, keep: bool) -> tuple[Answer, str | None]:
        """The answer and, where there is none, why; there is no second try."""
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = (
                    self._kept.popleft()
                    if keep and self._kept
                    else await asyncio.open_connection("127.0.0.1", self.port)
                )
                try:
                    status, body = await _ask(reader, writer, path, keep=keep)
                except BaseException:
                    writer.close()
                    raise
                if keep:
                    self._kept.append((reader, writer))
                else:
                    writer.close()
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            return {}, repr(error)
        if status != 200:
            return {}, f"{status}: {body[:300]!r}"
        return json.loads(body), None

    def close(self) -> None:
        for _, writer in self._kept:
            writer.close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, *, keep: bool
) -> tuple[int, bytes]:
    connection = "keep-alive" if keep else "close"
    writer.write(f"GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: {connection}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    return int(first.split()[1]), await reader.readexactly(int(headers["content-length"]))
