"""A run's own account: one axis for all, and what a crash came to."""

from __future__ import annotations

import pytest

from imagesmith.compare.record import Killed, Record
from imagesmith.compare.run import Load, Phase, Request, Use
from imagesmith.compare.scenario import Scenario


def load(*requests: Request) -> Load:
    return Load(20.0, requests, ())


def answered(due: float, state: int, version: str = "0.2.0", server: str = "s1") -> Request:
    return Request(due, 0.01, version, server, state)


def record(began: float = 1000.0) -> Record:
    made = Record(Scenario.HOT)
    made.began = began
    made.killed = Killed(began + 10.0, began + 10.5, began + 13.0)
    return made


def test_everything_counts_from_the_beginning_of_the_load() -> None:
    made = Record(Scenario.ROLLING)
    with made.phase(Phase.BEFORE):
        made.step("s1: ready")
    made.began = made._phases[Phase.BEFORE][0]
    run = made.run(load(), [Use(made.began + 3.0, 5, 0.1, 2)])
    assert run.phases[Phase.BEFORE].began == 0
    assert run.uses[0].at == pytest.approx(3.0)
    assert run.steps[0].text == "s1: ready"
    assert 0 <= run.steps[0].at <= run.phases[Phase.BEFORE].ended


def test_a_phase_that_fails_is_none() -> None:
    made = record()
    with pytest.raises(RuntimeError), made.phase(Phase.CHANGE):
        raise RuntimeError
    assert Phase.CHANGE not in made.run(load(), []).phases


def test_a_crash_ends_with_the_first_answer_that_was_due_after_it() -> None:
    lost = Request(10.5, 2.0, failure="status 503")
    crash = record().run(load(answered(9.0, 40), lost, answered(12.0, 0)), []).crash
    assert crash is not None
    assert crash.seconds == pytest.approx(2.01)
    assert crash.version == "0.2.0"
    assert crash.state_kept is False


def test_who_still_lives_while_others_are_killed_ends_no_crash() -> None:
    """One that is killed last answers for all of them until then; and the balancer is no server."""
    last = answered(10.3, 41)
    balancer = Request(10.6, 0.001)
    crash = record().run(load(answered(9.0, 40), last, balancer, answered(12.0, 0)), []).crash
    assert crash is not None
    assert crash.seconds == pytest.approx(2.01)
    assert crash.ready == pytest.approx(13.0)
    assert crash.state_kept is False


def test_state_that_outlasts_a_crash_is_kept() -> None:
    crash = record().run(load(answered(9.0, 40), answered(12.0, 41)), []).crash
    assert crash is not None
    assert crash.state_kept is True


def test_state_that_had_not_grown_is_neither_kept_nor_lost() -> None:
    crash = record().run(load(answered(9.0, 0), answered(12.0, 0)), []).crash
    assert crash is not None
    assert crash.state_kept is None


def test_the_smallest_of_all_containers_counts() -> None:
    """One that others outgrow is no loss."""
    before = answered(8.0, 900, server="s1"), answered(9.0, 20, server="s2")
    crash = record().run(load(*before, answered(12.0, 21)), []).crash
    assert crash is not None
    assert crash.state_kept is True


def test_without_a_load_the_readiness_tells_of_a_crash() -> None:
    crash = record().run(load(), []).crash
    assert crash is not None
    assert (crash.version, crash.seconds, crash.state_kept) == (None, 3.0, None)


def test_no_crash_is_told_of_a_run_that_did_not_come_so_far() -> None:
    made = record()
    made.killed = None
    made.trouble = "refused"
    run = made.run(load(), [])
    assert run.crash is None
    assert run.trouble == "refused"
