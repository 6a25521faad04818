"""What comes of a scenario's runs."""

from __future__ import annotations

from dataclasses import replace

from imagesmith.compare.comparison import Planned
from imagesmith.compare.measured import Spread
from imagesmith.compare.run import Phase, Span
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.session import _outcome
from tests.compare.runs import PHASES, request, run

PLANNED = Planned("replace", ["OTP changes"])
GOOD = run()
BUSY = run(requests=[request(1.0, late=3.0)], phases=PHASES | {Phase.CHANGE: Span(10.0, 90.0)})


def test_figures_are_of_the_runs_that_count() -> None:
    outcome = _outcome(Scenario.ROLLING, [GOOD, BUSY, GOOD], PLANNED)
    assert outcome.figures["change_seconds"] == Spread(5, 5, 5, 2)
    assert outcome.runs == [GOOD, GOOD]
    assert outcome.noise is None
    assert [remark[:26] for remark in outcome.remarks] == ["1 of 3 runs does not count"]


def test_where_none_counts_figures_are_shown_as_what_means_nothing() -> None:
    outcome = _outcome(Scenario.ROLLING, [GOOD, replace(BUSY)], PLANNED)
    assert outcome.figures["change_seconds"] == Spread(42.5, 5, 80, 2)
    assert len(outcome.runs) == 2
    assert outcome.noise is not None
    assert outcome.noise.startswith("the machine was too busy")
    assert not outcome.remarks


def test_a_way_that_was_not_gone_says_why() -> None:
    outcome = _outcome(Scenario.HOT, [], PLANNED)
    assert outcome.not_run == "the change cannot go hot: OTP changes"
