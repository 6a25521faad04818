"""What a held HTTP connection makes of the answers that servers give, byte for byte."""

from __future__ import annotations

import asyncio

import pytest

from imagesmith.compare.probe.connection import Closed
from imagesmith.compare.probe.pages import Page

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def hear(*answers: bytes, times: int = 1) -> tuple[bytes, list[bool | Closed]]:
    """Ask a server that gives these answers one after the other, then closes: what it was asked,
    and what was heard."""
    return asyncio.run(_hear(answers, times))


async def _hear(answers: tuple[bytes, ...], times: int) -> tuple[bytes, list[bool | Closed]]:
    asked = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        for answer in answers:
            asked = await reader.readuntil(b"\r\n\r\n")
            for at in range(len(answer)):  # in as many pieces as there can be
                writer.write(answer[at : at + 1])
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        page = await Page.open(server.sockets[0].getsockname(), "/held?a=b")
        heard: list[bool | Closed] = []
        for _ in range(times):
            page.say()
            try:
                heard.append(await page.hear())
            except Closed as closed:
                heard.append(closed)
        await page.close()
    return asked, heard


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length:0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_each_kind_of_answer_ends_where_the_next_begins(answer: bytes) -> None:
    asked, heard = hear(answer, OK, answer, times=3)
    assert heard == [True, True, True]
    assert asked.startswith(b"GET /held?a=b HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nuntil it is closed",
    ],
)
def test_a_last_answer_is_an_answer_and_then_the_ordinary_end(last: bytes) -> None:
    _, (first, second) = hear(last, times=2)
    assert first is True
    assert isinstance(second, Closed)
    assert second.ordinary


def test_a_connection_that_answered_before_may_end_between_two_answers() -> None:
    _, (first, second) = hear(OK, times=2)
    assert first is True
    assert isinstance(second, Closed)
    assert second.ordinary


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-", "closed in the middle of an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "closed in the middle of an answer"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "answered 503"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "answered something that is not HTTP/1.1"),
        (b"HTTP/1.1 what\r\n\r\n", "answered something that is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "answered something that is not"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "answered something that is not HTTP/1.1",
        ),
    ],
)
def test_anything_else_is_a_drop_and_says_why(answer: bytes, says: str) -> None:
    _, (heard,) = hear(answer)
    assert isinstance(heard, Closed)
    assert str(heard).startswith(says)
    assert not heard.ordinary


def test_an_answer_cut_short_is_a_drop_on_an_old_connection_too() -> None:
    _, (_, second) = hear(OK, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", times=2)
    assert isinstance(second, Closed)
    assert not second.ordinary
