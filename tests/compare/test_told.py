"""What goes between the probe and its parent, and how long a client waits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.compare.probe.reconnect import Waits
from imagesmith.compare.probe.result import load_of_line, load_to_line
from imagesmith.compare.probe.schedule import _read
from imagesmith.compare.probe.spec import Spec
from imagesmith.compare.run import Client, Load, Request
from imagesmith.compare.workload import HoldHttp, HoldTcp, HoldWebsocket, Workload

TIME = st.integers(0, 10**9).map(lambda microseconds: microseconds / 1e6)
TEXT = st.text(max_size=20)
PORT = st.integers(1, 65535)
HOLD = st.one_of(
    st.builds(HoldHttp, path=TEXT, port=PORT, every=TIME),
    st.builds(HoldWebsocket, path=TEXT, port=PORT, say=st.none() | TEXT, every=TIME),
    st.builds(HoldTcp, port=PORT, say=TEXT, every=TIME),
)
WORKLOAD = st.builds(
    Workload,
    path=TEXT,
    port=PORT,
    version=st.none() | TEXT,
    state=st.none() | TEXT,
    hold=HOLD,
    connections=st.integers(0, 5000),
    rate=TIME,
    jitter=TIME,
    replicas=st.integers(1, 9),
)
REQUEST = st.builds(
    Request,
    TIME,
    TIME,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.integers(0, 2**63 - 1),
    st.none() | TEXT,
    TIME,
)
CLIENT = st.builds(
    Client, st.integers(0, 5000), st.lists(st.tuples(TIME, TIME), max_size=4), st.lists(TIME)
)
LOAD = st.builds(
    Load,
    TIME,
    st.lists(REQUEST, max_size=5),
    st.lists(CLIENT, max_size=5),
)


@given(WORKLOAD, st.tuples(TEXT, PORT), st.tuples(TEXT, PORT), TIME)
def test_a_spec_is_one_line_and_comes_back(
    workload: Workload, http: tuple[str, int], hold: tuple[str, int], within: float
) -> None:
    spec = Spec(workload=workload, http=http, hold=hold, within=within)
    line = spec.to_line()
    assert b"\n" not in line
    back = Spec.of_line(line)
    assert back == spec
    assert type(back.workload.hold) is type(workload.hold)


@given(LOAD)
def test_a_load_is_one_line_and_comes_back(load: Load) -> None:
    line = load_to_line(load)
    assert b"\n" not in line
    assert load_of_line(line) == load


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", load_to_line(Load(1, (), ()))[:-1]])
def test_half_a_load_is_none(line: bytes) -> None:
    with pytest.raises(ValueError):
        load_of_line(line)


def test_waits_are_those_of_phoenix_and_start_anew_when_a_connection_is_there() -> None:
    waits = Waits(3, jitter=0)
    phoenix = [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2, 5, 5, 5]
    assert [waits.next() for _ in phoenix] == phoenix
    waits.opened()
    assert waits.next() == 0.01


def test_jitter_is_added_and_the_same_in_every_run_but_not_for_every_client() -> None:
    def of(number: int) -> list[float]:
        waits = Waits(number, jitter=2)
        return [waits.next() for _ in range(12)]

    plain = Waits(1, jitter=0)
    assert all(0 <= wait - plain.next() <= 2 for wait in of(1))
    assert of(1) == of(1)
    assert len({of(number)[0] for number in range(100)}) == 100


@pytest.mark.parametrize(
    ("body", "version", "state", "told"),
    [
        ({"version": "1", "count": 3}, "version", "count", ("1", 3)),
        ({"a": {"b": "1"}, "n": {"m": {"k": 4}}}, "a.b", "n.m.k", ("1", 4)),
        ({"a.b": "1", "a": {"b": "2"}}, "a.b", None, ("1", None)),
        ({"version": 2, "count": "3"}, "version", "count", ("2", None)),
        ({"version": None, "count": True}, "version", "count", (None, None)),
        ({"version": {"is": "1"}}, "version", "count", (None, None)),
        (["1"], "version", "count", (None, None)),
        ("a.b", "a.b", "b", (None, None)),
    ],
)
def test_version_and_state_are_keys_of_the_object_or_paths_into_it(
    body: object, version: str, state: str, told: tuple[str | None, int | None]
) -> None:
    assert _read(json.dumps(body).encode(), version, state) == told


def test_an_answer_that_is_no_json_tells_nothing() -> None:
    assert _read(b"<html>", "version", "count") == (None, None)
    assert _read(b"\xff\xfe\x00", "version", "count") == (None, None)
