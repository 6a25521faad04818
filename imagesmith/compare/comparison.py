"""All that a comparison found: what `report` tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from imagesmith.compare.measured import Measured
from imagesmith.compare.run import Run
from imagesmith.compare.scenario import Life, Scenario
from imagesmith.compare.workload import Workload

__all__ = [
    "Comparison",
    "Cost",
    "Fit",
    "History",
    "Lean",
    "Machine",
    "Outcome",
    "Planned",
    "Verdict",
]


class Fit(StrEnum):
    """What the verdict can be."""

    CATTLE = "cattle"
    PET = "pet"
    DEPENDS = "it depends"


@dataclass(frozen=True, slots=True)
class Lean:
    """One rule of the verdict: which way it leans (None: it says nothing here), what it found, in
    one sentence with the figure that decided it, and whether it decides alone.

    `rule` is its name in docs/compare.md.
    """

    rule: str
    towards: Fit | None
    says: str
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which life fits: a sentence, and every rule that was asked, those that decided it first."""

    fit: Fit
    says: str
    leans: Sequence[Lean]


@dataclass(frozen=True, slots=True)
class Planned:
    """What `imagesmith plan` says of the change: hot, restart or replace, and why."""

    verdict: str
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class History:
    """Of the changes between many releases: how many could go hot, need a restart, or another
    container."""

    hot: int
    restart: int
    replace: int

    @property
    def changes(self) -> int:
        """How many there were."""
        return self.hot + self.restart + self.replace


@dataclass(frozen=True, slots=True)
class Cost:
    """What a change costs without a load. Seconds of a build, bytes compressed.

    `build_cold`: OLD with an empty layer cache; `build_unchanged`: OLD once more; `build_changed`:
    NEW after it. `to_registry` and `to_host`: what has to be sent of NEW where OLD is already.
    `per_day`: bytes, of `deploys` changes to `hosts` hosts, the registry's part included.
    """

    image: int
    build_cold: float | None
    build_unchanged: float | None
    build_changed: float | None
    to_registry: int
    to_host: int
    per_day: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scenario: its figures by key (`figures.FIGURES` has what they are), and the runs that they
    are of, without those that the machine made meaningless.

    `not_run` is why there is no run. `noise` is why its figures mean nothing, or None: then all
    runs are there. `remarks` say which runs were left out, and what else to know of the others.
    """

    scenario: Scenario
    figures: Mapping[str, Measured | None]
    runs: Sequence[Run]
    not_run: str | None = None
    noise: str | None = None
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. `memory` in bytes; `limits`: what each container may use, in cores
    and bytes, None for all."""

    cpus: int
    cpu_model: str
    memory: int
    kernel: str
    docker: str
    store: str
    balancer: str
    imagesmith: str
    limit_cpus: float | None
    limit_memory: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A whole comparison of the change of the release `name` from `old` to `new`, its versions.

    `created` is the time in UTC, as RFC 3339 has it. `static` says why nothing was run, or is None.
    """

    name: str
    old: str
    new: str
    created: str
    workload: Workload
    verdict: Verdict
    planned: Planned
    history: History | None
    outcomes: Sequence[Outcome]
    costs: Mapping[Life, Cost]
    deploys: int
    hosts: int
    machine: Machine | None
    static: str | None = None
