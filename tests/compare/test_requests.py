"""Requests of the schedule, against a server that keeps a log of its own.

Times are held against that log, never against how long something should have taken.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.compare.loads import ROUNDED, TCP, load_on, until
from tests.compare.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def test_requests_are_due_on_the_schedule_and_tell_version_state_and_server(
    server: Server,
) -> None:
    with load_on(server, TCP) as running:
        time.sleep(0.5)
        server.version = "2.0"
        time.sleep(0.5)
        load = running.stop()
    assert [request.due for request in load.requests] == pytest.approx(
        [n / 50 for n in range(len(load.requests))], abs=ROUNDED
    )
    assert len(load.requests) >= load.seconds * 50 - 1
    assert [request.version for request in load.requests if request.version == "1.0"]
    assert load.requests[-1].version == "2.0"
    assert {request.server for request in load.requests} == {"app-1"}
    assert not [request for request in load.requests if request.failure]
    # The first question, whether it is there at all, is not of the load.
    states = [request.state for request in load.requests if request.state is not None]
    assert sorted(states) == list(range(2, len(load.requests) + 2))
    assert all(0 <= request.late <= request.seconds + ROUNDED for request in load.requests)


@pytest.mark.parametrize("rate", [10, 200])
def test_a_pause_is_in_every_request_that_was_due_in_it(server: Server, rate: float) -> None:
    with load_on(server, TCP, rate=rate) as running:
        time.sleep(0.3)
        stalled = server.stall() - running.began
        time.sleep(1.0)
        went_on = server.go_on() - running.began
        time.sleep(0.3)
        load = running.stop()
    # No request may have been left out, or sent only when others were answered.
    due = [request for request in load.requests if stalled < request.due < went_on]
    assert len(due) >= (went_on - stalled) * rate - 1
    assert all(request.due + request.seconds >= went_on - ROUNDED for request in due)
    assert not [request for request in load.requests if request.failure]


def test_failures_are_told_with_their_status_or_in_words(server: Server) -> None:
    with load_on(server, TCP) as running:
        server.status = 503
        until("answers", lambda: server.count > 20)
        refused = server.refuse() - running.began
        time.sleep(0.3)
        load = running.stop()
    failures = {request.failure for request in load.requests if request.due > refused}
    assert "503" in {request.failure for request in load.requests}
    assert "Connection refused" in failures
    assert not [request for request in load.requests if request.failure and request.version]
