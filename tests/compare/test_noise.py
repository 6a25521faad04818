"""Which runs are to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagesmith.compare.noise import quiet
from imagesmith.compare.run import Request, Run
from tests.compare.runs import CRASHED, client, request, run


def answers(p99: float, *late: float) -> list[Request]:
    """A hundred before the change, of which two are so slow, and the last were sent so late."""
    slow = [request(n / 20, 0.005 if n > 1 else p99) for n in range(100)]
    sent = [replace(item, late=by) for item, by in zip(reversed(slow), late, strict=False)]
    return [*slow[: 100 - len(sent)], *sent]


def noise(runs: Sequence[Run]) -> str | None:
    """Why none of them counts."""
    counting, remarks = quiet(runs)
    assert list(counting) in ([], list(runs))
    return "; ".join(remarks) if not counting and runs else None


GOOD = run(requests=answers(0.1, 0.02))
BUSY = run(requests=answers(0.1, 0.26))


def test_a_calm_machine_makes_no_noise() -> None:
    runs = [run(requests=answers(p99, 0.02)) for p99 in (0.1, 0.2)]
    assert quiet(runs) == (runs, [])
    assert quiet([]) == ([], [])
    assert noise([run(phases={})]) is None


def test_a_probe_that_stood_still_measured_itself() -> None:
    assert noise([run(requests=answers(0.1, 0.25))]) is None
    assert noise([BUSY]) == (
        "the machine was too busy to measure: the probe itself sent a request 0.26 s late (at most "
        "0.25 s)"
    )


def test_a_probe_that_is_often_late_made_the_p99() -> None:
    assert noise([run(requests=answers(0.1, 0.06))]) is None
    said = noise([run(requests=answers(0.1, 0.06, 0.06))])
    assert said is not None
    assert "the probe itself sent 2.0% of the requests more than 50 ms late (at most 1%)" in said


def test_a_probe_may_be_late_while_all_clients_come_back_after_the_crash() -> None:
    def late(due: float) -> Run:
        return run(requests=[*answers(0.1), request(due, late=0.5)], phases=CRASHED)

    assert noise([late(22.0)]) is None
    assert noise([late(24.9)]) is None
    assert noise([late(21.9)]) is not None
    assert noise([late(25.0)]) is not None


def test_a_run_that_the_machine_spoilt_is_left_out_and_told() -> None:
    runs = [GOOD, replace(BUSY, trouble="refused"), GOOD]
    assert quiet(runs) == (
        [GOOD, GOOD],
        [
            "1 of 3 runs does not count: the machine was too busy to measure: the probe itself "
            "sent a request 0.26 s late (at most 0.25 s); one ended early: refused"
        ],
    )


def test_where_no_majority_is_left_nothing_counts() -> None:
    for runs in ([GOOD, BUSY], [GOOD, BUSY, BUSY], [GOOD, GOOD, BUSY, BUSY]):
        counting, remarks = quiet(runs)
        assert counting == []
        assert len(remarks) == 1
        assert remarks[0].startswith("the machine was too busy")
    assert len(quiet([GOOD, BUSY, GOOD, BUSY, GOOD])[0]) == 3


def test_what_fails_before_the_change_is_not_its_doing() -> None:
    failing = [*answers(0.1), *(request(9.9, failure="503") for _ in range(2))]
    assert noise([run(requests=[*failing, request(10.0, failure="503")])]) == (
        "2 of 102 requests failed before the change was begun"
    )
    assert noise([run(clients=[client((0, 3), (3.1, 40))])]) == (
        "1 held connection was dropped before the change was begun"
    )


def test_an_accident_before_the_change_is_a_remark() -> None:
    failing = [*answers(0.1), request(9.9, failure="503")]
    dropping = [client((0, 3), (3.1, 40)), *(client((0, 40)) for _ in range(99))]
    found = run(requests=failing, clients=dropping)
    assert quiet([found, GOOD]) == (
        [found, GOOD],
        [
            "1 of 201 requests failed already before the change was begun",
            "1 held connection was dropped already before the change was begun",
        ],
    )


def test_runs_that_began_unlike_are_not_compared() -> None:
    assert noise([run(requests=answers(0.3)), run(requests=answers(0.1))]) is None
    said = noise([run(requests=answers(0.31)), run(requests=answers(0.1))])
    assert said is not None
    assert "100 ms in one and 310 ms in another (at most 3 times as long)" in said


def test_the_one_that_began_unlike_the_others_is_left_out() -> None:
    slow, *others = (run(requests=answers(p99)) for p99 in (0.9, 0.1, 0.2, 0.3))
    counting, remarks = quiet([others[0], slow, *others[1:]])
    assert counting == others
    assert remarks[0].startswith("1 of 4 runs does not count: the runs are not alike")
    quick, *others = (run(requests=answers(p99)) for p99 in (0.03, 0.1, 0.2))
    assert quiet([quick, *others])[0] == others


def test_quick_answers_may_differ_by_any_factor() -> None:
    assert noise([run(requests=answers(0.006)), run(requests=answers(0.07))]) is None
    assert noise([run(requests=answers(0.006)), run(requests=answers(0.08))]) is not None
