"""All that is run of a comparison: every scenario, as often as asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from imagesmith.compare.comparison import Outcome, Planned
from imagesmith.compare.conduct import Setting, conduct
from imagesmith.compare.figures import read_figures
from imagesmith.compare.noise import quiet
from imagesmith.compare.run import Run
from imagesmith.compare.scenario import Life, Scenario
from imagesmith.compare.ways import hot, way_of
from imagesmith.upgrade.bundle import Bundle

__all__ = ["measure"]

Tell = Callable[[str], None]


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
    grows busier or hotter does so for all. Raises DockerError, CompareError."""
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
