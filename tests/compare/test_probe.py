"""The probe as a process: that it is there, what it says when it cannot be, and that it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagesmith.compare.probe import Probe
from imagesmith.compare.workload import Hold, HoldTcp, HoldWebsocket, Workload
from imagesmith.errors import CompareError
from tests.compare.loads import (
    HOST,
    TCP,
    WEBSOCKET,
    all_speak,
    assert_live_all_the_time,
    port_of,
    until,
    workload,
)
from tests.compare.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def start(server: Server, hold: Hold, *, connections: int = 20, within: float = 60) -> Probe:
    return Probe.start(
        workload(hold, connections=connections),
        http=(HOST, server.http),
        hold=(HOST, port_of(server, hold)),
        within=within,
    )


def pid_of(probe: Probe) -> int:
    return probe._process.pid


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def children(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_what_happens_is_told_on_the_axis_of_this_process(server: Server) -> None:
    with start(server, WEBSOCKET) as probe:
        probe.check()
        cut = server.cut()
        all_speak(server)
        load = probe.stop()
    now = time.monotonic() - probe.began
    assert 0 < load.seconds < now
    assert all(cut - probe.began <= client.drops[0] < now for client in load.clients)
    assert {request.version for request in load.requests} == {"1.0"}


def test_a_load_may_be_without_a_version_or_state(server: Server) -> None:
    asked = Workload(path="/", port=1, hold=TCP, connections=1)
    with Probe.start(asked, http=(HOST, server.http), hold=(HOST, server.line)) as probe:
        time.sleep(0.1)
        load = probe.stop()
    assert {(request.version, request.state) for request in load.requests} == {(None, None)}


def test_a_load_may_ask_and_hold_nothing(server: Server) -> None:
    asks = replace(workload(WEBSOCKET, connections=5), hold=None)
    with Probe.start(asks, http=(HOST, server.http), hold=(HOST, 1)) as probe:
        time.sleep(1)
        load = probe.stop()
    assert load.requests
    assert list(load.clients) == []
    holds = replace(workload(WEBSOCKET, connections=5), path=None)
    with Probe.start(holds, http=(HOST, 1), hold=(HOST, server.http)) as probe:
        load = probe.stop()
    assert list(load.requests) == []
    assert len(load.clients) == 5


def test_a_thousand_connections_are_held(server: Server) -> None:
    with start(server, HoldTcp(port=1, say="ping"), connections=1000) as probe:
        time.sleep(1.0)
        load = probe.stop()
    assert len(server.opened) >= 1000
    assert len(load.clients) == 1000
    assert_live_all_the_time(load)


def test_whether_all_connections_are_back_is_told_while_the_load_goes_on(server: Server) -> None:
    with start(server, TCP) as probe:
        assert probe.all_live(0)
        server.stall()
        server.cut()
        until("the probe sees it", lambda: not probe.all_live(0))
        assert not probe.all_live(0.2)
        server.go_on()
        assert probe.all_live(60)
        all_speak(server)
        load = probe.stop()
    assert all(client.drops and client.live[-1][0] > client.drops[0] for client in load.clients)


def test_a_probe_that_is_killed_while_clients_are_waited_for_is_told(server: Server) -> None:
    with start(server, TCP) as probe:
        os.kill(pid_of(probe), signal.SIGKILL)
        with pytest.raises(CompareError, match="the load probe ended too early, by signal 9"):
            probe.all_live(60)


def test_an_application_that_is_not_there_is_told_in_one_sentence(server: Server) -> None:
    server.refuse()
    with pytest.raises(CompareError) as error:
        start(server, TCP)
    assert error.value.message == (
        f"GET / of the application at {HOST}:{server.http}: Connection refused"
    )


def test_an_application_that_fails_is_told_with_its_status(server: Server) -> None:
    server.status = 500
    with pytest.raises(CompareError, match=r"GET / of the application at .*: 500"):
        start(server, TCP)


def test_held_connections_that_do_not_come_up_are_counted(server: Server) -> None:
    with pytest.raises(CompareError) as error:
        Probe.start(
            workload(TCP, connections=3), http=(HOST, server.http), hold=(HOST, 1), within=3
        )
    assert error.value.message == (
        f"3 of 3 held connections to {HOST}:1 did not come up within 3 s: Connection refused"
    )


def test_a_handshake_that_is_refused_is_told(server: Server) -> None:
    hold = HoldWebsocket(path="/nothing", port=1)
    with pytest.raises(CompareError, match="answered 404 to a WebSocket's handshake"):
        start(server, hold, within=3)


def test_too_many_connections_for_the_machine_are_refused_with_the_way_out() -> None:
    done = subprocess.run(
        [
            "sh",
            "-c",
            'ulimit -n 600; exec "$@"',
            "sh",
            sys.executable,
            "-c",
            "from imagesmith.compare.probe.limits import allow; allow(88); allow(89)",
        ],
        capture_output=True,
        text=True,
    )
    assert "CompareError: 89 held connections need 601 open files, and this user may have 600" in (
        done.stderr
    )


def test_a_probe_that_is_killed_is_told(server: Server) -> None:
    with start(server, TCP) as probe:
        probe.check()
        os.kill(pid_of(probe), signal.SIGKILL)
        with pytest.raises(CompareError) as error:
            probe.stop()
        assert error.value.message == "the load probe ended too early, by signal 9"
        with pytest.raises(CompareError):
            probe.check()


def test_a_probe_that_is_killed_while_connections_come_up_is_told(server: Server) -> None:
    server.stall()
    before = children(os.getpid())

    def kill() -> None:
        until("there is a probe", lambda: bool(children(os.getpid()) - before))
        for pid in children(os.getpid()) - before:
            os.kill(int(pid), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(CompareError, match="the load probe ended too early, by signal 9"):
        start(server, TCP)
    killer.join()


def test_a_probe_that_breaks_is_told_with_its_last_words(server: Server) -> None:
    asked = workload(TCP, connections=1)
    with pytest.raises(CompareError, match="ended too early, with exit code 1: OverflowError: "):
        Probe.start(asked, http=(HOST, server.http), hold=(HOST, 99999), within=0.1)


def test_aiohttp_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with serving() as server, pytest.raises(CompareError) as error:
        start(server, TCP)
    assert error.value.hint == "pip install 'imagesmith[compare]'"


def test_nothing_is_left_behind_whatever_happens(server: Server) -> None:
    with pytest.raises(KeyboardInterrupt), start(server, TCP) as probe:
        pid = pid_of(probe)
        assert not is_gone(pid)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    assert is_gone(pid)


def test_a_ctrl_c_while_connections_come_up_leaves_nothing_behind(server: Server) -> None:
    server.stall()
    before = children(os.getpid())
    interrupter = subprocess.Popen(
        ["sh", "-c", f"sleep 2; kill -INT {os.getpid()}"], start_new_session=True
    )
    with pytest.raises(KeyboardInterrupt):
        start(server, TCP)
    interrupter.wait()
    assert children(os.getpid()) == before


def test_ctrl_c_at_the_terminal_does_not_reach_the_probe(server: Server) -> None:
    with start(server, TCP) as probe:
        assert os.getpgid(pid_of(probe)) != os.getpgid(0)


PARENT = """
import sys, time
from imagesmith.compare.probe import Probe
from imagesmith.compare.workload import HoldTcp, Workload
http, line = map(int, sys.argv[1:])
probe = Probe.start(
    Workload(path="/", port=1, hold=HoldTcp(port=1, say="ping"), connections=3),
    http=("127.0.0.1", http),
    hold=("127.0.0.1", line),
)
print(probe._process.pid, flush=True)
time.sleep(600)
"""


def test_a_probe_ends_when_its_parent_is_gone(server: Server) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(server.http), str(server.line)],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not is_gone(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until("the probe is gone", lambda: is_gone(pid))
