"""`--dry-run`: what would be done, in words."""

from __future__ import annotations

from imagesmith.compare.comparison import Planned
from imagesmith.compare.dry import plan_of_action
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.workload import HoldTcp, Workload

WORKLOAD = Workload(path="/count", port=4000, hold=HoldTcp(port=4001, say="ping"))


def lines(planned: str = "hot", *, runs_docker: bool = True) -> str:
    found = plan_of_action(
        "shop",
        ("0.1.0", "0.2.0"),
        WORKLOAD,
        Planned(planned, ()),
        list(Scenario),
        repeat=3,
        settle=5.0,
        runs_docker=runs_docker,
    )
    return "\n".join(found)


def test_every_scenario_and_the_load_are_named() -> None:
    said = lines()
    for scenario in Scenario:
        assert f"{scenario.value}: {scenario.words}; 3 times" in said
    assert "50 GETs a second of /count at port 4000" in said
    assert "200 TCP connections to port 4001" in said


def test_a_change_that_cannot_go_hot_is_not_tried_hot() -> None:
    assert "hot: not run" in lines("replace")


def test_without_a_docker_the_same_is_shown_and_that_none_of_it_would_be_run() -> None:
    before, said, after = lines(runs_docker=False).partition(
        "here no Docker answers: of what follows, nothing would be run\n"
    )
    assert said
    assert before + after == lines()
