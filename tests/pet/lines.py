"""Connections to the shop's line service that are held, and must never drop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

__all__ = ["Line"]

PATIENCE = 60.0
"""Seconds for an answer: longer than any upgrade may pause a process."""


@dataclass(slots=True)
class Line:
    """One connection. `pings` counts what it asked, which the other side counts as well."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pings: int = 0
    longest: float = 0.0
    failures: list[str] = field(default_factory=list)
    released: bool = False
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def open(cls, number: int, port: int) -> Line:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            welcome = await reader.readline()
        assert welcome.startswith(b"welcome "), welcome
        return cls(number, reader, writer)

    async def ask(self, word: str) -> str:
        """The answer, without its newline; empty if the connection is no more."""
        async with self._one:
            began = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    self.writer.write(f"{word}\n".encode())
                    answer = await self.reader.readline()
            except (OSError, TimeoutError) as error:
                self.failures.append(f"line {self.number}: {word}: {error!r}")
                return ""
            self.longest = max(self.longest, time.monotonic() - began)
            if not answer.endswith(b"\n"):
                self.failures.append(f"line {self.number}: {word}: closed")
            return answer.decode().rstrip("\n")

    async def ping(self) -> str:
        """The version that answered, once the other side has counted as we have."""
        said = await self.ask("ping")
        self.pings += 1
        pong, _, version = said.rpartition(" ")
        if pong != f"pong {self.pings}":
            self.failures.append(f"line {self.number}: ping {self.pings}: {said!r}")
        return version

    def is_dropped(self) -> bool:
        """Whether the other side has closed it, though nobody asked it to."""
        return not self.released and (self.reader.at_eof() or self.writer.is_closing())

    def release(self) -> None:
        self.released = True
        self.writer.close()
