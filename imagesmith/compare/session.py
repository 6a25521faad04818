"""A whole comparison: every scenario, as often as asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from imagesmith.compare.comparison import (
    Comparison,
    Cost,
    History,
    Machine,
    Outcome,
    Planned,
)
from imagesmith.compare.conduct import Setting, conduct
from imagesmith.compare.figures import read_figures
from imagesmith.compare.noise import quiet
from imagesmith.compare.run import Run
from imagesmith.compare.scenario import Life, Scenario
from imagesmith.compare.verdict import Evidence, judge
from imagesmith.compare.ways import hot, way_of
from imagesmith.compare.workload import Workload
from imagesmith.upgrade.bundle import Bundle

__all__ = ["Subject", "measure", "put_together"]

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is compared, as far as it is known before anything runs."""

    name: str
    old: str
    new: str
    workload: Workload
    planned: Planned
    history: History | None
    costs: Mapping[Life, Cost]
    deploys: int
    hosts: int


def measure(
    scenarios: Sequence[Scenario],
    repeat: int,
    setting: Setting,
    images: Mapping[Life, Mapping[str, str]],
    bundle: Bundle | None,
    planned: Planned,
    tell: Tell,
) -> list[Outcome]:
    """Go every scenario `repeat` times: each once, then each once more, so that a machine that
    grows busier or hotter does so for all. Raises DockerError, CompareError, UpgradeError."""
    runs: dict[Scenario, list[Run]] = {scenario: [] for scenario in scenarios}
    for number in range(repeat):
        for scenario in scenarios:
            if scenario is Scenario.HOT and bundle is None:
                continue
            which = f", run {number + 1} of {repeat}" if repeat > 1 else ""
            tell(f"{scenario.value}: {scenario.words}{which}")
            if scenario is Scenario.HOT:
                assert bundle is not None
                way = hot(bundle, setting.kind.probe)
            else:
                way = way_of(scenario, setting.old, setting.new)
            of_life = images[scenario.life]
            runs[scenario].append(conduct(scenario, setting, of_life, way, tell))
    return [_outcome(scenario, found, planned) for scenario, found in runs.items()]


def _outcome(scenario: Scenario, runs: Sequence[Run], planned: Planned) -> Outcome:
    if not runs:
        reasons = "; ".join(planned.reasons) or planned.verdict
        return Outcome(scenario, {}, (), not_run=f"the change cannot go hot: {reasons}")
    counting, remarks = quiet(runs)
    if not counting:
        return Outcome(scenario, read_figures(runs), runs, noise="; ".join(remarks))
    return Outcome(scenario, read_figures(counting), counting, remarks=remarks)


def put_together(
    subject: Subject,
    outcomes: Sequence[Outcome],
    machine: Machine | None,
    static: str | None = None,
) -> Comparison:
    """The comparison with its verdict; `static` is why nothing was run, if nothing was."""
    evidence = Evidence(subject.planned, subject.history, outcomes, subject.workload, subject.costs)
    return Comparison(
        name=subject.name,
        old=subject.old,
        new=subject.new,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        workload=subject.workload,
        verdict=judge(evidence),
        planned=subject.planned,
        history=subject.history,
        outcomes=outcomes,
        costs=subject.costs,
        deploys=subject.deploys,
        hosts=subject.hosts,
        machine=machine,
        static=static,
    )
