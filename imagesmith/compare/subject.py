"""What is compared, and what comes of it: with outcomes, or without any where nothing was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from imagesmith.compare.scenario import Life
from imagesmith.compare.verdict import Evidence, judge
from imagesmith.compare.workload import Workload

__all__ = ["Subject", "put_together"]


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
