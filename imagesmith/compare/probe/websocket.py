"""A held WebSocket: a ping is answered by a pong (RFC 6455, section 5.5.3)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp

from imagesmith.compare.probe.connection import Closed, words
from imagesmith.compare.probe.spec import Address

__all__ = ["Socket"]

_OVER = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)
_PARTING = 0.05
"""Seconds for a closing frame to be sent."""


class Socket:
    """Live from the answer 101 on, which no balancer gives for the application."""

    live_at_once = True

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, say: str | None) -> None:
        self._socket = socket
        self._text = say
        self._saying: asyncio.Future[None] | None = None

    @classmethod
    async def open(
        cls, session: aiohttp.ClientSession, address: Address, path: str, say: str | None
    ) -> Socket:
        """Connect, and ask for the upgrade."""
        host, port = address
        try:
            socket = await session.ws_connect(f"ws://{host}:{port}{path}", autoping=False)
        except aiohttp.WSServerHandshakeError as error:
            raise Closed(f"answered {error.status} to a WebSocket's handshake") from None
        except aiohttp.ClientError as error:
            raise Closed(words(error)) from None
        return cls(socket, say)

    def say(self) -> None:
        """The text, if there is one, and a ping."""
        self._saying = asyncio.ensure_future(self._say())

    async def hear(self) -> bool:
        """Any frame; a pong is the answer."""
        message = await self._socket.receive()
        if message.type in _OVER:
            raise Closed("closed")
        if message.type is aiohttp.WSMsgType.ERROR:
            raise Closed(str(message.data))
        if message.type is aiohttp.WSMsgType.PING:
            await self._socket.pong(message.data)
        return message.type is aiohttp.WSMsgType.PONG

    async def close(self) -> None:
        """Say so, but do not wait for one that hangs to say so too."""
        if self._saying is not None:
            self._saying.cancel()
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(_PARTING):
                await self._socket.close()

    async def _say(self) -> None:
        with suppress(aiohttp.ClientError, OSError):  # `hear` will tell
            if self._text is not None:
                await self._socket.send_str(self._text)
            await self._socket.ping()
