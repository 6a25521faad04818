"""What happens in a run, as it happens; in the end put onto one axis."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from imagesmith.compare.run import Crash, Load, Phase, Run, Span, Step, Use
from imagesmith.compare.scenario import Scenario

__all__ = ["Killed", "Record"]

FIRST_SECONDS = 1.0
"""States are read so long after containers were ready again: later ones have grown anew."""


@dataclass(frozen=True, slots=True)
class Killed:
    """When the first was killed, when all containers were dead, and when all were ready again."""

    at: float
    dead: float
    ready: float


@dataclass(slots=True)
class Record:
    """All times are CLOCK_MONOTONIC, until `run` makes them seconds since `began`."""

    scenario: Scenario
    began: float = 0.0
    pauses: Sequence[float] = ()
    killed: Killed | None = None
    trouble: str | None = None
    _steps: list[tuple[float, str]] = field(default_factory=list)
    _phases: dict[Phase, tuple[float, float]] = field(default_factory=dict)

    def step(self, text: str) -> None:
        """Something was done just now."""
        self._steps.append((time.monotonic(), text))

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """What is done in it; one that fails is no phase."""
        began = time.monotonic()
        yield
        self._phases[phase] = (began, time.monotonic())

    def run(self, load: Load, uses: Sequence[Use]) -> Run:
        """The run that this was."""
        zero = self.began
        spans = {phase: Span(a - zero, b - zero) for phase, (a, b) in self._phases.items()}
        crash = None
        if self.killed:
            killed = self.killed
            crash = _crash(load, killed.at - zero, killed.dead - zero, killed.ready - zero)
        return Run(
            self.scenario,
            load,
            spans,
            [Step(at - zero, text) for at, text in self._steps],
            [replace(use, at=use.at - zero) for use in uses],
            self.pauses,
            crash,
            self.trouble,
        )


def _crash(load: Load, killed: float, dead: float, ready: float) -> Crash:
    """What the requests tell that were due when all were dead; else what the readiness probe did.

    It takes Docker a while to kill them all, in which one that still lives answers for the others.
    """
    told = sorted(load.requests, key=lambda item: item.due)
    answered = [item for item in told if item.due >= dead and item.failure is None and item.server]
    if not answered:
        return Crash(None, ready - killed, None, ready)
    first = min(answered, key=lambda item: item.due + item.seconds)
    stated = [item for item in told if item.state is not None]
    last = {item.server: item.state or 0 for item in stated if item.due < killed}
    least = min(last.values(), default=0)
    soon = [item.state or 0 for item in stated if dead <= item.due < ready + FIRST_SECONDS]
    # Below 0 nothing can fall.
    kept = min(soon) >= least if soon and least else None
    return Crash(first.version, first.due + first.seconds - killed, kept, ready)
