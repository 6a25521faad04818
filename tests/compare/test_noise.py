"""When figures are not to be believed."""

from __future__ import annotations

from imagesmith.compare.figures import noise
from imagesmith.compare.run import Request
from tests.compare.runs import client, request, run


def answers(p99: float) -> list[Request]:
    """A hundred before the change, of which two are so slow."""
    return [request(n / 20, 0.005 if n > 1 else p99) for n in range(100)]


def test_a_calm_machine_makes_no_noise() -> None:
    runs = [run(requests=answers(p99), late=0.02) for p99 in (0.1, 0.2)]
    assert noise(runs) is None
    assert noise([]) is None
    assert noise([run(phases={})]) is None


def test_a_probe_that_stood_still_measured_itself() -> None:
    assert noise([run(late=0.25)]) is None
    assert noise([run(), run(late=0.26)]) == (
        "the machine was too busy to measure: the probe itself sent a request 0.26 s late (at most "
        "0.25 s)"
    )


def test_a_probe_that_is_often_late_made_the_p99() -> None:
    assert noise([run(requests=answers(0.1), late_often=1)]) is None
    said = noise([run(requests=answers(0.1), late_often=2)])
    assert said is not None
    assert "the probe itself sent 2.0% of the requests more than 50 ms late (at most 1%)" in said


def test_what_fails_before_the_change_is_not_its_doing() -> None:
    failing = [*answers(0.1), request(9.9, failure="503"), request(10.0, failure="503")]
    assert noise([run(requests=failing)]) == (
        "1 of 101 requests failed before the change was begun"
    )
    assert noise([run(clients=[client((0, 3), (3.1, 40))])]) == (
        "1 held connections were dropped before the change was begun"
    )


def test_runs_that_began_unlike_are_not_compared() -> None:
    assert noise([run(requests=answers(0.3)), run(requests=answers(0.1))]) is None
    said = noise([run(requests=answers(0.31)), run(requests=answers(0.1))])
    assert said is not None
    assert "100 ms in one and 310 ms in another (at most 3 times as long)" in said


def test_quick_answers_may_differ_by_any_factor() -> None:
    assert noise([run(requests=answers(0.006)), run(requests=answers(0.07))]) is None
    assert noise([run(requests=answers(0.006)), run(requests=answers(0.08))]) is not None
