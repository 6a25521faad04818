"""All that a comparison is asked for, read and checked: nothing has been built or run yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesmith.compare.comparison import Planned
from imagesmith.compare.subject import Subject

if TYPE_CHECKING:
    from imagesmith.cli.compare_build import Built, Sides
    from imagesmith.compare.comparison import History
    from imagesmith.compare.scenario import Scenario
    from imagesmith.compare.workload import Workload
    from imagesmith.recipe import Recipe

__all__ = ["Asked", "Running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How everything is run. Seconds, cores and bytes; None for no limit."""

    settle: float
    drain: float
    ready: float
    cpus: float | None
    memory: int | None
    environment: Mapping[str, str]
    network: str | None
    balancer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`repeat`: how often each scenario is gone; `deploys` a day to `hosts` hosts are counted."""

    recipe: Recipe
    sides: Sides
    workload: Workload
    running: Running
    scenarios: Sequence[Scenario]
    repeat: int
    deploys: int
    hosts: int

    @property
    def planned(self) -> Planned:
        """What the plan says of the change."""
        plan = self.sides.plan
        return Planned(plan.verdict.value, [item.says for item in plan.told])

    def subject(self, built: Built, history: History | None) -> Subject:
        """What is compared, now that it is built."""
        plan = self.sides.plan
        return Subject(
            name=plan.name,
            old=plan.before,
            new=plan.after,
            workload=self.workload,
            planned=self.planned,
            history=history,
            costs=built.costs,
            deploys=self.deploys,
            hosts=self.hosts,
        )
