"""What happened before a build, and what every contestant then needed for it."""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bench.big.project import Project
from bench.contestant import Contestant, Sink, blobs

__all__ = ["Results", "Samples", "Scenario", "race"]


class Scenario(StrEnum):
    """What happened since the build before."""

    COLD = "cold"
    UNCHANGED = "unchanged"
    CHANGED = "one module"
    BUMPED = "module + version"


@dataclass(slots=True)
class Samples:
    """The runs of one contestant in one scenario: seconds, peak memory, and bytes of new blobs."""

    seconds: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    new_bytes: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def new(self) -> int | None:
        """Bytes of the blobs that the archive before did not have, of the median run."""
        return int(statistics.median(self.new_bytes)) if self.new_bytes else None

    @property
    def peak(self) -> int:
        """Bytes, of the run that took most."""
        return max(self.peaks)


Results = dict[tuple[Sink, str, Scenario], Samples]


def race(project: Project, contestants: Sequence[Contestant], runs: int) -> Results:
    """Every scenario, so many times, at the sinks of these contestants, one sink after the other.

    All cold builds come first, as to empty BuildKit's cache empties it for all.
    """
    results: Results = defaultdict(Samples)
    for sink in Sink:
        held = [contestant for contestant in contestants if contestant.sink is sink]
        before: dict[str, dict[str, int]] = {}
        for number in range(runs):
            # Taking turns, so that none always has the page cache warmed by the same other.
            _scenario(project, Scenario.COLD, _turned(held, number), before, results)
        for contestant in held:
            _build(contestant, project, before)  # what the first unchanged build is compared with
        for number in range(runs):
            for scenario in (Scenario.UNCHANGED, Scenario.CHANGED, Scenario.BUMPED):
                _scenario(project, scenario, _turned(held, number), before, results)
    return results


def _scenario(
    project: Project,
    scenario: Scenario,
    contestants: Sequence[Contestant],
    before: dict[str, dict[str, int]],
    results: Results,
) -> None:
    if scenario in {Scenario.CHANGED, Scenario.BUMPED}:
        project.change()
    if scenario is Scenario.BUMPED:
        project.bump()
    project.release()
    for contestant in contestants:
        if scenario is Scenario.COLD:
            contestant.forget()
            before.pop(contestant.name, None)
        samples = results[contestant.sink, contestant.name, scenario]
        _build(contestant, project, before, samples)
        sys.stderr.write(
            f"bench: {contestant.sink}, {scenario}, {contestant.name}: "
            f"{samples.seconds[-1]:.2f} s\n"
        )


def _build(
    contestant: Contestant,
    project: Project,
    before: dict[str, dict[str, int]],
    samples: Samples | None = None,
) -> None:
    contestant.prepare(project.release_path)
    measured = contestant.build()
    samples = samples or Samples()
    samples.seconds.append(measured.seconds)
    samples.peaks.append(measured.peak)
    if contestant.archive:
        known = before.get(contestant.name, {})
        held = blobs(contestant.archive)
        samples.new_bytes.append(sum(held[digest] for digest in held.keys() - known.keys()))
        before[contestant.name] = held


def _turned(contestants: Sequence[Contestant], by: int) -> list[Contestant]:
    at = by % len(contestants)
    return [*contestants[at:], *contestants[:at]]
