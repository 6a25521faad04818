"""A held TCP connection: a line is said, a line answers."""

from __future__ import annotations

import asyncio

from imagesmith.compare.probe.connection import Closed
from imagesmith.compare.probe.spec import Address

__all__ = ["Line"]


class Line:
    """Live from the first bytes that come: a balancer accepts connections before it knows whether
    any container will take them, so that an open socket alone says nothing of the application."""

    live_at_once = False

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, say: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._line = f"{say}\n".encode()

    @classmethod
    async def open(cls, address: Address, say: str) -> Line:
        """Connect."""
        return cls(*await asyncio.open_connection(*address), say)

    def say(self) -> None:
        """The line."""
        self._writer.write(self._line)

    async def hear(self) -> bool:
        """Any bytes that hold the end of a line."""
        heard = await self._reader.read(65536)
        if not heard:
            raise Closed("closed")
        return b"\n" in heard

    async def close(self) -> None:
        """Reset it: one that hangs would keep a polite end waiting."""
        self._writer.transport.abort()
