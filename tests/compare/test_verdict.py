"""The verdict's rules, each on evidence made for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.compare.comparison import Cost, Fit, History, Outcome, Planned
from imagesmith.compare.measured import Measured, Spread, Words
from imagesmith.compare.scenario import Life, Scenario
from imagesmith.compare.verdict import Evidence, judge
from imagesmith.compare.workload import HoldHttp, HoldTcp, Workload
from tests.compare.runs import PHASES, run

WORKLOAD = Workload(path="/", port=4000, hold=HoldTcp(port=4001, say="ping"))
HOT_PLAN = Planned("hot", ())
COST = Cost(10_000_000, 1.0, 1.0, 1.0, 50_000, 50_000, 5_000_000)


def outcome(scenario: Scenario, **figures: float | str) -> Outcome:
    told: dict[str, Measured | None] = {
        key: Words(value, 1, 1) if isinstance(value, str) else Spread(value, value, value, 1)
        for key, value in figures.items()
    }
    return Outcome(scenario, told, [run()])


def replaced(scenario: Scenario = Scenario.ROLLING, **figures: float | str) -> Outcome:
    """Containers replaced: 200 connections dropped, and back within 40 ms."""
    usual: dict[str, float | str] = {
        "failed": 0,
        "dropped": 200,
        "without_median": 0.02,
        "without_worst": 0.04,
        "longest_during": 0.1,
    }
    return outcome(scenario, **{**usual, **figures})


def upgraded(**figures: float | str) -> Outcome:
    usual: dict[str, float | str] = {
        "failed": 0,
        "dropped": 0,
        "without_median": 0,
        "without_worst": 0,
        "longest_during": 0.1,
    }
    return outcome(Scenario.HOT, **{**usual, **figures})


def evidence(*outcomes: Outcome, **others: object) -> Evidence:
    usual = Evidence(HOT_PLAN, None, outcomes, WORKLOAD, dict.fromkeys(Life, COST))
    return replace(usual, **others)  # type: ignore[arg-type]  # what a test names is right


def test_state_that_only_a_hot_upgrade_keeps_is_for_a_pet() -> None:
    found = judge(evidence(replaced(state="lost"), upgraded(state="kept")))
    assert found.fit is Fit.PET
    assert found.leans[0].rule == "state"
    assert "kept by the hot upgrade" in found.says


def test_state_that_one_way_of_replacing_keeps_says_nothing() -> None:
    kept = replaced(Scenario.BLUE_GREEN, state="kept")
    found = judge(evidence(replaced(state="lost"), kept, upgraded(state="kept")))
    assert "state" not in {lean.rule for lean in found.leans}


def test_connections_that_are_back_at_once_leave_it_open() -> None:
    found = judge(evidence(replaced(), upgraded()))
    assert found.fit is Fit.DEPENDS
    assert "200 connections were dropped and back within 40" in found.says


def test_clients_that_are_without_a_connection_for_long_are_for_a_pet() -> None:
    found = judge(evidence(replaced(without_median=3.0, without_worst=6.0), upgraded()))
    assert found.fit is Fit.PET
    assert "3.0" in found.says


def test_what_holds_nothing_is_cattle() -> None:
    """A worker: no connection, no state that is told."""
    nothing = replace(WORKLOAD, hold=None, path=None)
    rolled = outcome(Scenario.ROLLING, change_seconds=12.0)
    found = judge(evidence(rolled, upgraded(), workload=nothing))
    assert found.fit is Fit.CATTLE
    assert found.leans[0].rule == "nothing-held"


def test_a_hot_upgrade_that_harms_is_no_choice() -> None:
    rolled = replaced(dropped=0, without_median=0, without_worst=0, state="lost")
    found = judge(evidence(rolled, upgraded(failed=3, state="kept")))
    assert found.fit is Fit.CATTLE
    assert found.leans[0].rule == "hot-harms"
    assert "failed 3 requests" in found.says


def test_a_single_request_that_fails_hot_does_not_outweigh_all_connections_and_state() -> None:
    found = judge(evidence(replaced(state="lost"), upgraded(failed=1, state="kept")))
    assert found.fit is Fit.DEPENDS
    assert {"hot-harms", "state"} <= {lean.rule for lean in found.leans}


@pytest.mark.parametrize("hot", [(199, 3.0), (150, 4.0), (200, 0.9)])
def test_a_hot_upgrade_that_drops_nearly_as_much_gains_nothing(hot: tuple[float, float]) -> None:
    dropped, median = hot
    mine = upgraded(dropped=dropped, without_median=median, without_worst=median)
    found = judge(evidence(replaced(without_median=1.1, without_worst=2.0), mine))
    assert found.fit is not Fit.PET
    assert "dropped none" not in found.says


def test_harm_in_one_run_of_three_is_harm() -> None:
    """The median of 0, 0 and 400 is 0."""
    sometimes = Spread(0, 0, 400, 3)
    hot = upgraded(state="kept")
    hot = replace(hot, figures={**hot.figures, "failed": sometimes, "dropped": sometimes})
    rolled = replaced(dropped=0, without_median=0, without_worst=0, state="lost")
    assert judge(evidence(rolled, hot)).fit is Fit.CATTLE
    rolled = replace(rolled, figures={**rolled.figures, "dropped": sometimes, "state": None})
    found = judge(evidence(rolled, upgraded()))
    assert "nothing-held" not in {lean.rule for lean in found.leans}


def test_http_through_a_balancer_is_no_proof_that_nothing_is_held() -> None:
    """Its clients keep their connection to the balancer; a LiveView's would lose theirs."""
    http = replace(WORKLOAD, hold=HoldHttp(path="/", port=4000))
    rolled = replaced(dropped=0, without_median=0, without_worst=0)
    found = judge(evidence(rolled, upgraded(), workload=http))
    assert found.fit is Fit.CATTLE
    assert not found.leans[0].decides
    assert "`compare:`" in found.says


def test_a_hot_upgrade_that_did_not_get_through_is_told_though_the_run_was_noisy() -> None:
    failed = replace(run(phases={}), trouble="0.2.0 was refused")
    hot = replace(upgraded(), runs=[failed], noise="the machine was busy")
    found = judge(evidence(replaced(state="lost"), hot))
    assert found.fit is Fit.CATTLE
    assert "0.2.0 was refused" in found.says


def test_a_way_back_that_fails_speaks_against_a_pet_and_does_not_decide() -> None:
    back = replace(run(phases=PHASES), trouble="on the way back: old processes")
    hot = replace(upgraded(state="kept"), runs=[back])
    found = judge(evidence(replaced(state="lost"), hot))
    assert found.fit is Fit.DEPENDS
    assert "old processes" in found.says


def test_without_a_replacement_that_was_measured_nothing_is_compared() -> None:
    found = judge(evidence(upgraded(state="kept")))
    assert found.fit is Fit.DEPENDS
    assert "no way of replacing containers was measured" in found.says
    noisy = replace(replaced(), noise="the machine was busy")
    assert "the machine was busy" in judge(evidence(noisy, upgraded())).says


def test_a_pet_is_told_by_what_it_gains_and_not_by_what_supports_it() -> None:
    rolled = replaced(without_median=3.0, without_worst=6.0)
    found = judge(evidence(rolled, upgraded(), history=History(9, 1, 0)))
    assert found.fit is Fit.PET
    assert found.leans[0].rule == "connections"
    assert judge(evidence(replaced(), upgraded(), history=History(1, 0, 0))).leans[-1].rule != (
        "history"
    )


def test_requests_that_fail_in_hot_and_more_in_every_other_do_not_decide() -> None:
    found = judge(evidence(replaced(failed=90, state="lost"), upgraded(failed=3, state="kept")))
    assert found.fit is Fit.PET


def test_a_change_that_cannot_go_hot_is_cattle() -> None:
    planned = Planned("replace", ["core: native code changes"])
    found = judge(evidence(replaced(state="lost"), planned=planned))
    assert found.fit is Fit.CATTLE
    assert "core: native code changes" in found.says


def test_where_nearly_all_other_changes_could_go_hot_one_that_cannot_leaves_it_open() -> None:
    planned = Planned("replace", ["core: native code changes"])
    found = judge(evidence(replaced(), planned=planned, history=History(90, 5, 5)))
    assert found.fit is Fit.DEPENDS
    assert "90 of the last 100" in found.says


@pytest.mark.parametrize(
    ("history", "fit"),
    [
        (History(90, 5, 5), Fit.PET),
        (History(60, 20, 20), Fit.PET),  # it leans nowhere, and state decides
        (History(30, 35, 35), Fit.DEPENDS),  # state for a pet, the changes against one
    ],
)
def test_how_often_a_change_could_go_hot_counts(history: History, fit: Fit) -> None:
    hot = upgraded(state="kept")
    assert judge(evidence(replaced(state="lost"), hot, history=history)).fit is fit


def test_a_long_pause_in_a_hot_upgrade_speaks_against_it() -> None:
    hot = upgraded(state="kept", longest_during=4.0)
    found = judge(evidence(replaced(state="lost"), hot))
    assert found.fit is Fit.DEPENDS
    assert {"state", "latency"} <= {lean.rule for lean in found.leans}


def test_the_gentlest_way_stands_for_all_cattle() -> None:
    """What a worse way does to users is no argument where a better one was measured."""
    worse = replaced(Scenario.RECREATE, failed=300, without_median=6.0)
    found = judge(evidence(worse, replaced(Scenario.BLUE_GREEN), upgraded()))
    assert "blue-green" in found.says
    assert "requests" not in {lean.rule for lean in found.leans}


def test_bytes_count_where_they_are_many() -> None:
    costs = {Life.CATTLE: replace(COST, per_day=80_000_000_000), Life.PET: COST}
    found = judge(evidence(replaced(), upgraded(), costs=costs))
    assert found.fit is Fit.PET
    assert "80" in found.says


def test_a_meaningless_run_is_not_looked_at() -> None:
    noisy = replace(replaced(state="lost"), noise="the machine was busy")
    found = judge(evidence(noisy, upgraded(state="kept")))
    assert "state" not in {lean.rule for lean in found.leans}


def test_a_hot_upgrade_that_was_not_measured_is_not_judged() -> None:
    noisy = replace(upgraded(state="kept"), noise="the machine was busy")
    found = judge(evidence(replaced(state="lost"), noisy))
    assert found.fit is Fit.DEPENDS
    assert "the machine was busy" in found.says


def test_without_a_measurement_it_depends_unless_the_plan_decides() -> None:
    assert judge(evidence()).fit is Fit.DEPENDS
    planned = Planned("restart", ["a struct changed shape"])
    assert judge(evidence(planned=planned)).fit is Fit.CATTLE


FIGURE = st.floats(0, 100) | st.just(0.0)
OUTCOMES = st.lists(
    st.builds(
        lambda scenario, failed, dropped, median, longest, state: outcome(
            scenario,
            failed=failed,
            dropped=dropped,
            without_median=median,
            without_worst=median,
            longest_during=longest,
            state=state,
        ),
        st.sampled_from(Scenario),
        FIGURE,
        FIGURE,
        FIGURE,
        FIGURE,
        st.sampled_from(["kept", "lost"]),
    ),
    max_size=4,
    unique_by=lambda item: item.scenario,
)


@given(OUTCOMES, st.sampled_from(["hot", "restart", "replace"]))
def test_every_evidence_gets_one_sentence_and_no_rule_twice(
    outcomes: list[Outcome], planned: str
) -> None:
    found = judge(evidence(*outcomes, planned=Planned(planned, ())))
    assert found.says.endswith(".")
    assert "\n" not in found.says
    rules = [lean.rule for lean in found.leans]
    assert len(rules) == len(set(rules))
    if found.fit is Fit.PET:
        assert planned == "hot"
