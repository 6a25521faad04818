"""What hangs, with the limits set to what a test can wait for."""

from __future__ import annotations

import time

import pytest

from imagesmith.compare.probe import held, schedule
from imagesmith.compare.workload import Hold
from tests.compare.loads import HTTP, ROUNDED, TCP, WEBSOCKET, all_speak, load_on, until
from tests.compare.server import serving


@pytest.mark.parametrize("hold", [TCP, WEBSOCKET, HTTP])
def test_a_connection_that_hangs_is_over_from_when_it_was_asked(
    hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "ANSWER", 1.0)
    with serving() as server, load_on(server, hold, rate=1) as running:
        time.sleep(0.3)
        stalled = server.stall()
        until("they are asked, and hang up", lambda: len(server.opened) >= 40)
        went_on = server.go_on()
        all_speak(server)
        load = running.stop()
    # The server may have answered just before it stalled what a client asked before that.
    asked = [at - running.began for at in server.heard]
    for client in load.clients:
        dropped = client.drops[0]
        assert stalled - running.began - hold.every - 1.0 <= dropped
        assert dropped <= max(at for at in asked if at <= went_on - running.began)
        assert client.live[0][1] == dropped
        assert client.live[1][0] >= dropped + 1.0 - ROUNDED


def test_a_short_pause_is_no_drop() -> None:
    with serving() as server, load_on(server, TCP) as running:
        time.sleep(0.2)
        server.stall()
        time.sleep(0.8)
        server.go_on()
        all_speak(server)
        load = running.stop()
    assert all(len(client.live) == 1 and not client.drops for client in load.clients)


def test_a_request_that_is_not_answered_in_time_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "TIMEOUT", 0.5)
    with serving() as server, load_on(server, TCP) as running:
        time.sleep(0.2)
        stalled = server.stall() - running.began
        time.sleep(1.2)
        went_on = server.go_on() - running.began
        load = running.stop()
    lost = [request for request in load.requests if request.failure]
    assert {request.failure for request in lost} == {"no answer within 0.5 s"}
    assert all(request.seconds >= 0.5 for request in lost)
    due = [r for r in load.requests if stalled < r.due < went_on - 0.5 - ROUNDED]
    assert due
    assert all(request in lost for request in due)
