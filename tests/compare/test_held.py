"""Held connections, against a server that keeps a log of its own.

Times are held against that log, never against how long something should have taken.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from imagesmith.compare.workload import Hold
from tests.compare.loads import (
    HTTP,
    ROUNDED,
    TCP,
    WEBSOCKET,
    all_speak,
    assert_live_all_the_time,
    load_on,
    until,
)
from tests.compare.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("hold", [TCP, WEBSOCKET, HTTP])
def test_a_connection_that_nobody_touches_is_live_all_the_time(server: Server, hold: Hold) -> None:
    with load_on(server, hold) as running:
        time.sleep(0.4)
        load = running.stop()
    assert [client.number for client in load.clients] == list(range(20))
    assert_live_all_the_time(load)
    assert len(server.opened) == 20


@pytest.mark.parametrize("hold", [TCP, WEBSOCKET])
@pytest.mark.parametrize("polite", [True, False])
def test_a_cut_connection_is_dropped_once_and_comes_again_after_phoenix_s_first_wait(
    server: Server, hold: Hold, polite: bool
) -> None:
    with load_on(server, hold) as running:
        time.sleep(0.3)
        cut = server.finish() if polite else server.cut()
        all_speak(server)
        load = running.stop()
    cut -= running.began
    opened = min(at for at in server.opened if at > cut + running.began) - running.began
    for client in load.clients:
        # A busy machine may lose it once more; each loss is one drop, and comes again.
        assert len(client.drops) == len(client.live) - 1
        dropped = client.drops[0]
        assert cut - ROUNDED <= dropped
        before, (again, _) = client.live[:2]
        assert before == (0.0, dropped)
        assert again >= dropped + 0.01 - ROUNDED
        # The kernel takes a connection before a busy server knows of it.
        assert again >= opened - 0.1
        assert client.live[-1][1] == pytest.approx(load.seconds)


@pytest.mark.parametrize("hold", [TCP, WEBSOCKET, HTTP])
def test_nobody_is_live_while_the_server_refuses(server: Server, hold: Hold) -> None:
    with load_on(server, hold) as running:
        time.sleep(0.3)
        refused = server.refuse()
        server.cut()
        time.sleep(0.4)
        accepted = server.accept()
        all_speak(server)
        load = running.stop()
    for client in load.clients:
        assert len(client.drops) == len(client.live) - 1
        before, after = client.live[:2]
        assert refused - running.began - ROUNDED <= before[1] == client.drops[0]
        assert before[1] < accepted - running.began <= after[0] + ROUNDED


def test_a_connection_that_is_accepted_but_not_answered_is_not_live(server: Server) -> None:
    """A balancer accepts what no container takes."""
    with load_on(server, TCP) as running:
        time.sleep(0.3)
        server.stall()
        cut = server.cut()
        until("clients connect", lambda: len([at for at in server.opened if at > cut]) >= 20)
        time.sleep(0.3)
        went_on = server.go_on()
        all_speak(server)
        load = running.stop()
    assert all(client.live[1][0] >= went_on - running.began - ROUNDED for client in load.clients)


def test_a_server_that_speaks_first_is_live_then() -> None:
    with serving(welcome=True) as server, load_on(server, TCP) as running:
        time.sleep(0.3)
        load = running.stop()
    assert_live_all_the_time(load)


def test_an_http_connection_that_is_closed_between_requests_is_no_drop(server: Server) -> None:
    with load_on(server, HTTP) as running:
        time.sleep(0.3)
        server.finish()
        all_speak(server)
        load = running.stop()
    assert_live_all_the_time(load)


def test_a_server_that_closes_after_each_answer_is_not_asked_more_often_for_it() -> None:
    with serving(last_word=True) as server, load_on(server, HTTP, connections=5) as running:
        time.sleep(0.6)
        load = running.stop()
        asked = len(server.heard)
        since = time.monotonic() - server.opened[0]
    assert_live_all_the_time(load)
    assert 10 < asked <= 5 * (since / HTTP.every + 1)


def test_an_answer_that_is_an_error_is_a_drop(server: Server) -> None:
    with load_on(server, HTTP) as running:
        time.sleep(0.3)
        well = set(server.held)
        server.status = 502
        until("all hear it", lambda: not well & set(server.held))
        server.status = 200
        all_speak(server)
        load = running.stop()
    for client in load.clients:
        assert len(client.drops) == 1
        assert client.live[1][0] >= client.drops[0] + 0.01 - ROUNDED
