"""What each figure is, on runs that are small enough to work out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.compare.figures import FIGURES, read_figures
from imagesmith.compare.measured import Spread, Unit, Words, measured
from imagesmith.compare.reading import percentile, without_connection
from imagesmith.compare.run import Client, Crash, Phase, Request, Run, Span, Use
from tests.compare.runs import CRASHED, PHASES, client, request, run

SECONDS = st.floats(0, 50, allow_nan=False)


def figure(key: str, seen: Run) -> float | str | None:
    return next(figure for figure in FIGURES if figure.key == key).of(seen)


def test_every_figure_has_a_key_of_its_own_and_says_how_it_is_measured() -> None:
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
    assert all(figure.method.endswith(".") and figure.title for figure in FIGURES)


def test_figures_of_one_group_stand_together() -> None:
    groups = [figure.group for figure in FIGURES]
    assert [group for at, group in enumerate(groups) if group not in groups[:at]] == [
        "Connections",
        "Requests",
        "Versions",
        "State",
        "Machine",
        "Rollback",
        "Crash",
        "Pause",
    ]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)


def test_a_run_that_ended_before_its_change_tells_nothing_of_it_and_fails_at_nothing() -> None:
    for phases in ({}, {Phase.BEFORE: PHASES[Phase.BEFORE]}):
        seen = run(
            phases=phases,
            requests=[request(1.0, version="1", state=3)],
            clients=[client((0, 3))],
            uses=[Use(2, 100, 0.5, 2)],
        )
        told = {key for key, value in read_figures([seen]).items() if value is not None}
        before = {"p50_before", "longest_before", "memory_before", "cpu_before"}
        assert told == (before if phases else set())


def test_a_load_without_anything_tells_nothing_but_how_long_the_phases_were() -> None:
    told = {key: value for key, value in read_figures([run()]).items() if value is not None}
    assert told == {
        "change_seconds": Spread(5, 5, 5, 1),
        "back_seconds": Spread(3, 3, 3, 1),
    }


# Connections


CLIENTS = [
    client((0, 12), (13.5, 40)),  # 1.5 s in the change
    client((0, 9), (11, 20), (20.5, 40)),  # from before it; 1 + 0.5 s
    client((0, 24), (26, 40)),  # over its end: 1 s, and 1 s in the way back
    client((0, 40)),
    client((0, 10)),  # never again: all 15 s
]


def test_a_client_is_without_a_connection_where_it_has_none_in_the_window() -> None:
    seen = run(clients=CLIENTS)
    assert figure("without_median", seen) == 1.5
    assert figure("without_worst", seen) == 15
    assert figure("back_without_worst", seen) == 15
    assert figure("back_without_worst", run(clients=CLIENTS[:4])) == 1


def test_drops_count_by_when_they_were() -> None:
    seen = run(clients=CLIENTS)
    assert figure("dropped", seen) == 4  # at 12, 20, 24 and, just at the begin, 10; not at 9
    assert figure("back_dropped", seen) == 0


@given(
    st.lists(SECONDS, max_size=12, unique=True).map(sorted).filter(lambda at: len(at) % 2 == 0),
    SECONDS,
    SECONDS,
)
def test_live_spans_and_the_times_without_cover_every_window(
    at: list[float], one: float, other: float
) -> None:
    """The gaps between the spans, each cut to the window, are what a client was without."""
    live = list(zip(at[::2], at[1::2], strict=True))
    window = Span(min(one, other), max(one, other))
    edges = [0.0, *at, 60.0]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    without = sum(
        max(0.0, min(until, window.ended) - max(since, window.began)) for since, until in gaps
    )
    measured = without_connection(Client(0, live, ()), window)
    assert measured == pytest.approx(without, abs=1e-9)
    assert 0 <= measured <= window.seconds


# Requests


def test_failures_count_where_they_were_due_and_have_no_latency() -> None:
    seen = run(
        requests=[
            request(9.9, failure="503"),
            request(10.0, 9.0, failure="no answer within 10 s"),
            request(11.0, 0.25),
            request(24.9, failure="503"),
            request(25.0, failure="503"),
            request(26.0, 2.0),
        ]
    )
    assert figure("failed", seen) == 2
    assert figure("back_failed", seen) == 1
    assert figure("longest_during", seen) == 0.25
    assert figure("longest_before", seen) is None
    assert figure("longest_after", seen) is None
    assert figure("back_longest", seen) == 2.0


def test_latency_is_of_the_phase_in_which_a_request_was_due() -> None:
    seen = run(
        requests=[
            request(9.99, 3.0),
            request(12.0, 0.1),
            request(13.0, 0.2),
            request(14.0, 0.3),
            request(15.0, 0.5),
        ]
    )
    assert figure("p50_before", seen) == 3.0
    assert figure("p50_during", seen) == 0.2
    assert figure("p50_after", seen) == 0.5
    assert figure("longest_during", seen) == 0.3


@pytest.mark.parametrize(
    ("answers", "p99", "p999"),
    [(99, None, None), (100, 99.0, None), (999, 990.0, None), (1000, 990.0, 999.0)],
)
def test_a_percentile_needs_enough_answers_to_be_one(
    answers: int, p99: float | None, p999: float | None
) -> None:
    seen = run(requests=[request(10 + n / 1000, float(n + 1)) for n in range(answers)])
    assert figure("p99_during", seen) == p99
    assert figure("p999_during", seen) == p999


@given(st.lists(SECONDS, min_size=1), st.sampled_from([0.5, 0.99, 0.999]))
def test_no_smaller_value_is_as_large_as_that_share_of_all(
    values: list[float], share: float
) -> None:
    found = percentile(values, share, 1)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values)


# Versions


VERSIONS = [
    request(1.0, version="1"),
    request(9.9, 0.5, version="1"),  # answered at 10.4
    request(11.0, 0.5, version="2"),  # at 11.5: the first
    request(12.0, 0.25, version="1"),  # at 12.25: the last
    request(14.0, 0.1, version="2"),
    request(20.0, 0.1, version="2"),
    request(26.0, 0.1, version="1"),  # on the way back
]


def test_versions_are_told_by_the_answers_from_the_begin_of_the_change_on() -> None:
    seen = run(requests=VERSIONS)
    assert figure("change_seconds", seen) == 5
    assert figure("first_new", seen) == pytest.approx(1.5)
    assert figure("last_old", seen) == pytest.approx(2.25)
    assert figure("mixed", seen) == pytest.approx(0.75)


def test_versions_are_not_mixed_where_the_old_one_ended_before_the_new_one_began() -> None:
    seen = run(requests=[VERSIONS[0], *VERSIONS[4:]])
    assert figure("last_old", seen) == 0
    assert figure("mixed", seen) == 0


@pytest.mark.parametrize(("old", "new"), [(None, None), ("1", "1"), (None, "2"), ("1", None)])
def test_an_application_that_tells_no_other_version_has_no_figures_of_it(
    old: str | None, new: str | None
) -> None:
    seen = run(requests=[request(1.0, version=old), request(20.0, version=new)])
    assert figure("first_new", seen) is None
    assert figure("last_old", seen) is None
    assert figure("mixed", seen) is None


# State


def told(*answers: tuple[float, str, str | None, int]) -> Run:
    """Of answers (due, server, version, state); killed at 22 s, and ready again at 23 s."""
    return run(
        requests=[
            request(due, server=server, version=version, state=state)
            for due, server, version, state in answers
        ],
        phases=CRASHED,
        crash=Crash("2", 1.0, False, 23.0),
    )


TWO = ((1.0, "a", "1", 1), (2.0, "b", "1", 2), (8.0, "a", "1", 70), (9.0, "b", "1", 50))


def test_state_is_kept_where_no_container_falls_below_what_the_least_had() -> None:
    assert figure("state", told(*TWO, (12, "b", "2", 51), (20, "a", "2", 90))) == "kept"


def test_state_is_lost_where_the_new_version_starts_anew() -> None:
    assert figure("state", told(*TWO, (12, "c", "2", 0), (20, "c", "2", 90))) == "lost"


def test_state_is_lost_where_one_container_of_two_lost_it() -> None:
    assert figure("state", told(*TWO, (20, "a", "2", 90), (21, "b", "2", 49))) == "lost"


def test_the_old_version_during_the_change_has_no_say_in_it() -> None:
    """An answer may overtake another."""
    assert figure("state", told(*TWO, (10.1, "b", "1", 49), (20, "b", "2", 60))) == "kept"


def test_nothing_is_said_of_state_that_is_not_told_or_had_not_grown() -> None:
    assert figure("state", run(requests=VERSIONS)) is None
    assert figure("state", told(*TWO)) is None
    assert figure("state", told((1, "a", "1", 0), (20, "a", "2", 0))) is None


def test_new_containers_that_tell_no_version_start_anew_however_far_they_come() -> None:
    """In a long change they have outgrown the old ones by its end."""
    old = ((8.0, "a", None, 70), (9.0, "b", None, 50))
    assert figure("state", told(*old, (12, "c", None, 0), (16, "c", None, 90))) == "lost"
    assert figure("state", told(*old, (12, "c", None, 71), (16, "c", None, 90))) == "kept"
    upgraded = told(*old, (10.1, "b", None, 49), (16, "a", None, 90), (16.1, "b", None, 70))
    assert figure("state", upgraded) == "kept"


AGAIN = (*TWO, (16, "a", "2", 900), (22.1, "a", "2", 950), (23.5, "a", "2", 1), (24, "a", "2", 30))


def test_the_way_back_has_only_the_state_to_lose_that_the_crash_has_left() -> None:
    assert figure("back_state", told(*AGAIN, (26, "a", "1", 31), (30, "a", "1", 40))) == "kept"
    assert figure("back_state", told(*AGAIN, (26, "b", "1", 0), (30, "b", "1", 90))) == "lost"
    unsaid = [(due, server, None, state) for due, server, _, state in AGAIN]
    assert figure("back_state", told(*unsaid, (26, "a", None, 31), (30, "a", None, 40))) == "kept"
    assert figure("back_state", told(*unsaid, (26, "c", None, 0), (30, "c", None, 90))) == "lost"


def test_nothing_is_said_of_a_way_back_before_which_no_state_had_grown_again() -> None:
    assert figure("back_state", told(*AGAIN[:-2], (24, "a", "2", 0), (30, "a", "1", 9))) is None
    assert figure("back_state", told(*AGAIN[:-2], (30, "a", "1", 0))) is None
    assert figure("back_state", run(requests=[request(30, state=9)])) is None


# Machine


USES = [
    Use(1, 100, 0.2, 2),
    Use(5, 110, 0.4, 2),
    Use(9, 150, 0.6, 2),
    Use(12, 300, 1.5, 3),
    Use(16, 120, 0.5, 2),
    Use(20, 400, 1.0, 2),
    Use(26, 200, 2.0, 4),
    Use(29, 999, 1.0, 4),
]


def test_memory_and_cpu_are_of_all_containers_before_and_at_their_most() -> None:
    seen = run(uses=USES)
    assert figure("memory_before", seen) == 110
    assert figure("cpu_before", seen) == pytest.approx(0.4)
    assert figure("memory_peak", seen) == 400
    assert figure("cpu_peak", seen) == 1.5
    assert figure("containers_peak", seen) == 3


def test_the_storm_is_five_seconds_from_the_first_drop_of_the_change() -> None:
    seen = run(uses=USES, clients=[client((0, 3), (3, 14), (14.1, 40))])
    assert figure("storm_cpu", seen) == 0.5
    assert figure("storm_memory", seen) == 120
    calm = run(uses=USES, clients=[client((0, 3), (3, 40))])
    assert figure("storm_cpu", calm) is None
    assert figure("storm_memory", calm) is None


def test_processor_time_is_each_reading_for_as_long_as_it_stands_for() -> None:
    """BACK is 25 to 28: 1 s of the reading at 26, 2 s of that at 29."""
    assert figure("back_cpu_seconds", run(uses=USES)) == pytest.approx(1 * 2.0 + 2 * 1.0)
    assert figure("back_cpu_seconds", run(uses=USES[:2])) is None


# Crash and pause


def test_what_stands_after_a_crash_is_called_old_or_new() -> None:
    def crashed(version: str | None, kept: bool | None) -> Run:
        return run(requests=VERSIONS, crash=Crash(version, 2.5, kept))

    assert figure("crash_version", crashed("1", True)) == "old"
    assert figure("crash_version", crashed("2", True)) == "new"
    assert figure("crash_version", crashed("3", True)) == "3"
    assert figure("crash_version", crashed(None, True)) is None
    assert figure("crash_seconds", crashed("1", True)) == 2.5
    assert figure("crash_state", crashed("1", True)) == "kept"
    assert figure("crash_state", crashed("1", False)) == "lost"
    assert figure("crash_state", crashed("1", None)) is None
    assert figure("crash_seconds", run()) is None


def test_the_pause_is_the_longest_of_all_containers() -> None:
    assert figure("pause", run(pauses=(0.01, 0.05, 0.02))) == 0.05
    assert figure("pause", run()) is None


def test_many_runs_have_a_median_a_least_and_a_most_and_words_the_commonest() -> None:
    runs = [
        run(pauses=(pause,), crash=Crash("2", 1.0, kept))
        for pause, kept in ((0.1, True), (0.4, False), (0.2, True))
    ]
    figures = read_figures([*runs, run()])
    assert figures["pause"] == Spread(0.2, 0.1, 0.4, 3)
    assert figures["crash_state"] == Words("kept", 2, 3)
    assert figures["storm_cpu"] is None
    assert set(figures) == {figure.key for figure in FIGURES}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("kept", "lost"), Words("differs", 1, 2)),
        (("lost", "kept"), Words("differs", 1, 2)),
        (("lost", "kept", None, "new", "lost", "kept"), Words("differs", 2, 5)),
        (("lost", "kept", "lost"), Words("lost", 2, 3)),
        (("lost", None), Words("lost", 1, 1)),
    ],
)
def test_as_many_words_against_as_many_decide_nothing(
    words: tuple[str | None, ...], found: Words
) -> None:
    assert measured(words) == found


def test_the_unit_of_every_figure_suits_what_it_says() -> None:
    seen = run(
        requests=[
            *VERSIONS,
            *(
                request(due, server=server, version=version, state=state)
                for due, server, version, state in (*AGAIN, (30.0, "a", "1", 99))
            ),
            *(request(phase.began + n / 1000) for phase in CRASHED.values() for n in range(1000)),
        ],
        phases=CRASHED,
        clients=CLIENTS,
        uses=USES,
        pauses=(0.1,),
        crash=Crash("2", 1.0, True, 23.0),
    )
    for told_by in FIGURES:
        value = told_by.of(seen)
        assert value is not None, told_by.key
        assert isinstance(value, str) == (told_by.unit is Unit.WORD), told_by.key


def test_requests_may_come_in_any_order() -> None:
    seen = run(requests=[*VERSIONS, request(3, state=4, server="a", version="1")])
    turned = run(requests=list(reversed(seen.load.requests)))
    assert read_figures([turned]) == read_figures([seen])


def test_a_request_that_nobody_answered_tells_no_version() -> None:
    lost = Request(24.9, 10.0, failure="no answer within 10 s")
    assert figure("mixed", run(requests=[*VERSIONS, lost])) == pytest.approx(0.75)
