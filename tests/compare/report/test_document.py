"""report.json keeps to its schema, and its numbers are those of the runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from imagesmith.compare.comparison import Comparison
from imagesmith.compare.report.document import document
from imagesmith.compare.report.timeline import FINER
from imagesmith.compare.run import Client
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.workload import HoldHttp, HoldTcp
from tests.compare.report.made import (
    FIGURES,
    comparison_of,
    outcome_of,
    quiet,
    run_of,
    static_one,
    with_noise,
)
from tests.shop import REPO


def read(comparison: Comparison) -> dict[str, Any]:
    """As a program reads it, once it is valid."""
    found: dict[str, Any] = json.loads(json.dumps(document(comparison, FIGURES)))
    schema = json.loads((REPO / "docs/compare.schema.json").read_text())
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(found)
    return found


def timeline_of(comparison: Comparison, scenario: Scenario) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item["timeline"] for item in read(comparison)["scenarios"] if item["scenario"] == scenario
    )
    return found


@pytest.mark.parametrize(
    "comparison",
    [
        comparison_of(runs=1),
        with_noise(comparison_of(runs=1)),
        quiet(comparison_of(runs=1)),
        static_one(),
        replace(static_one(), history=None, costs={}),
    ],
    ids=["full", "noise", "idle", "static", "bare"],
)
def test_it_is_as_the_schema_has_it(comparison: Comparison) -> None:
    found = read(comparison)
    assert found["name"] == "shop"
    assert len(found["scenarios"]) == len(comparison.outcomes)
    for told, outcome in zip(found["scenarios"], comparison.outcomes, strict=True):
        assert told["remarks"] == list(outcome.remarks)


@pytest.mark.parametrize(
    ("hold", "kind"),
    [(HoldTcp(port=7, say="hello"), "tcp"), (HoldHttp(path="/", port=80), "http")],
)
def test_the_load_says_what_was_held(hold: HoldTcp | HoldHttp, kind: str) -> None:
    comparison = static_one()
    load = replace(comparison.workload, hold=hold)
    assert read(replace(comparison, workload=load))["workload"]["hold"]["kind"] == kind


def test_the_schema_says_what_every_key_is() -> None:
    """A key that nobody has described is one that nobody can rely on."""
    schema = json.loads((REPO / "docs/compare.schema.json").read_text())
    assert schema["required"] == list(schema["properties"]) == list(read(static_one()))


def test_each_request_is_in_one_bin() -> None:
    line = timeline_of(comparison_of(runs=1), Scenario.RECREATE)
    run = outcome_of(Scenario.RECREATE, 1).runs[0]
    bins = line["requests"]
    counted = {key: sum(item[key] for item in bins) for key in ("old", "new", "other", "failed")}
    answered = [item for item in run.load.requests if item.failure is None]
    assert counted == {
        "old": sum(item.version == "0.1.0" for item in answered),
        "new": sum(item.version == "0.2.0" for item in answered),
        "other": 0,
        "failed": len(run.load.requests) - len(answered),
    }
    assert counted["failed"] == sum(item["times"] for item in line["failures"])
    assert max(item["longest"] or 0 for item in bins) == round(
        max(item.seconds for item in answered), 6
    )


def test_bins_go_by_what_the_versions_call_themselves() -> None:
    """A release's version need not be what its application says: that may be a commit's."""
    called = {"0.1.0": "3f2a9c1", "0.2.0": "77be012", None: None}
    outcome = outcome_of(Scenario.ROLLING, 1)
    load = outcome.runs[0].load
    renamed = [replace(item, version=called[item.version]) for item in load.requests]
    runs = [replace(outcome.runs[0], load=replace(load, requests=renamed))]
    made = comparison_of(runs=1)
    other = replace(made, outcomes=[replace(outcome, runs=runs)])
    bins = timeline_of(other, Scenario.ROLLING)["requests"]
    assert bins == timeline_of(made, Scenario.ROLLING)["requests"]
    unsaid = [replace(item, version=None) for item in load.requests]
    runs = [replace(outcome.runs[0], load=replace(load, requests=unsaid))]
    bins = timeline_of(replace(made, outcomes=[replace(outcome, runs=runs)]), Scenario.ROLLING)
    assert {(item["old"], item["new"]) for item in bins["requests"]} == {(0, 0)}


def test_times_count_from_the_first_step_of_the_change() -> None:
    line = timeline_of(comparison_of(runs=1), Scenario.ROLLING)
    change = next(item for item in line["phases"] if item["phase"] == "change")
    assert change["began"] == 0
    assert line["steps"][0] == {"at": 0, "text": "shop-3: started"}
    assert line["began"] == -6


def test_no_bin_holds_answers_from_before_and_after_the_change_began() -> None:
    run = run_of(Scenario.HOT)
    phases = {phase: replace(span, began=span.began + 0.123) for phase, span in run.phases.items()}
    outcome = replace(outcome_of(Scenario.HOT, 1), runs=[replace(run, phases=phases)])
    line = timeline_of(replace(comparison_of(runs=1), outcomes=[outcome]), Scenario.HOT)
    width = line["bin_seconds"]
    assert any(item["at"] == 0 for item in line["requests"])
    edges = [item["at"] / width for item in line["requests"]]
    assert edges == pytest.approx([round(edge) for edge in edges])


def test_a_drop_of_a_moment_is_seen_among_the_live_connections() -> None:
    run = run_of(Scenario.HOT)
    lost = Client(0, [(0.0, 6.501), (6.5012, run.load.seconds)], [6.501])
    load = replace(run.load, clients=[lost, *run.load.clients[1:]])
    outcome = replace(outcome_of(Scenario.HOT, 1), runs=[replace(run, load=load)])
    line = timeline_of(replace(comparison_of(runs=1), outcomes=[outcome]), Scenario.HOT)
    width = line["bin_seconds"] / FINER
    seen = [item["live"] for item in line["connections"]]
    assert seen[:3] == [200, 199, 200]  # what follows is the crash
    dropped, back = line["connections"][1:3]
    assert dropped["at"] <= 0.501 < back["at"] == pytest.approx(dropped["at"] + width)


def test_the_run_that_is_shown_took_the_middle_time() -> None:
    quick, slow, middle = (run_of(Scenario.HOT, seed) for seed in range(3))
    for run, seconds in ((quick, 1.0), (slow, 3.0), (middle, 2.0)):
        span = next(span for phase, span in run.phases.items() if phase == "change")
        run.phases[next(iter(p for p in run.phases if p == "change"))] = replace(
            span, ended=span.began + seconds
        )
    outcome = replace(outcome_of(Scenario.HOT, 1), runs=[quick, slow, middle])
    line = timeline_of(replace(comparison_of(runs=1), outcomes=[outcome]), Scenario.HOT)
    assert line["run"] == 3


def test_a_run_that_failed_before_its_change_has_no_timeline() -> None:
    run = replace(run_of(Scenario.HOT), phases={}, trouble="it was never ready")
    outcome = replace(outcome_of(Scenario.HOT, 1), runs=[run])
    scenario = read(replace(comparison_of(runs=1), outcomes=[outcome]))["scenarios"][0]
    assert scenario["timeline"] is None
    assert scenario["troubles"] == ["it was never ready"]
