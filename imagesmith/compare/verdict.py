"""Which life fits: rules over what was measured and planned, each with the figure that decided it.

They are told, with why, in docs/compare.md; that came before any fixture was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.compare.comparison import Cost, Fit, History, Lean, Outcome, Planned, Verdict
from imagesmith.compare.measured import Spread, Unit, Words
from imagesmith.compare.scenario import Life, Scenario
from imagesmith.compare.shown import amount
from imagesmith.compare.workload import Workload

__all__ = ["Evidence", "judge"]

HOT = "hot"
HISTORY = "history"

OFTEN = 0.8
SELDOM = 0.5
"""A team lives with one way for nearly all changes: two roads that are both taken every week are
two to keep. Four of five may go hot, and the fifth takes a new container; under half is seldom."""

NOTICED_SECONDS = 1.0
"""Without a connection for longer, a person sees it: "the limit for the user's flow of thought to
stay uninterrupted" (Miller 1968; Nielsen 1993). A shorter gap costs only what coming back costs."""

PAUSE_SECONDS = 0.5
FACTOR = 2.0
"""What differs by less than twice, or stays under half a second, decides nothing: the next run of
the same comparison may show it the other way round."""

MUCH_BYTES = 1_000_000_000
MANY_TIMES = 10.0
"""Bytes count where they are many times as many, and more than a gigabyte a day."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at."""

    planned: Planned
    history: History | None
    outcomes: Sequence[Outcome]
    workload: Workload
    costs: Mapping[Life, Cost]

    @property
    def hot(self) -> Outcome | None:
        """The hot scenario, if it was measured."""
        found = [item for item in self.measured if item.scenario is Scenario.HOT]
        return found[0] if found else None

    @property
    def cattle(self) -> Sequence[Outcome]:
        """The scenarios that replace containers, the gentlest first."""
        found = [item for item in self.measured if item.scenario.life is Life.CATTLE]
        return sorted(found, key=_harm)

    @property
    def measured(self) -> Sequence[Outcome]:
        """Those whose figures mean something."""
        return [item for item in self.outcomes if not item.not_run and not item.noise]


def _harm(outcome: Outcome) -> tuple[float, float, float]:
    """What users notice: requests that failed, then the time without a connection, then drops."""
    keys = ("failed", "without_worst", "dropped")
    failed, without, dropped = (_number(outcome, key) or 0.0 for key in keys)
    return failed, without, dropped


def _number(outcome: Outcome | None, key: str) -> float | None:
    found = outcome.figures.get(key) if outcome else None
    return found.median if isinstance(found, Spread) else None


def _word(outcome: Outcome | None, key: str) -> str | None:
    found = outcome.figures.get(key) if outcome else None
    return found.word if isinstance(found, Words) else None


def _count(number: float) -> str:
    return amount(number, Unit.COUNT)


# --- the rules ---


def can_go_hot(evidence: Evidence) -> Lean | None:
    """Where the change itself cannot go hot, there is nothing to choose for it."""
    planned, history = evidence.planned, evidence.history
    if planned.verdict == HOT:
        return None
    why = planned.reasons[0] if planned.reasons else planned.verdict
    says = f"this change cannot go hot ({planned.verdict}: {why})"
    if history and history.changes and history.hot / history.changes >= OFTEN:
        return Lean(
            "can-go-hot",
            Fit.DEPENDS,
            f"{says}, but {history.hot} of the last {history.changes} changes could",
        )
    return Lean("can-go-hot", Fit.CATTLE, says, decides=True)


def hot_harms(evidence: Evidence) -> Lean | None:
    """A hot upgrade that fails requests or drops connections has lost its point."""
    hot, cattle = evidence.hot, evidence.cattle
    if hot is None:
        return None
    if trouble := next((run.trouble for run in hot.runs if run.trouble), None):
        return Lean("hot-harms", Fit.CATTLE, f"the hot upgrade failed: {trouble}", decides=True)
    for key, what in (("failed", "requests failed"), ("dropped", "connections were dropped")):
        mine = _number(hot, key) or 0.0
        theirs = (_number(cattle[0], key) or 0.0) if cattle else 0.0
        if mine and mine >= theirs:
            says = f"{_count(mine)} {what} in the hot upgrade"
            if cattle:
                says += f", {_count(theirs)} in {cattle[0].scenario.value}"
            return Lean("hot-harms", Fit.CATTLE, says, decides=True)
    return None


def nothing_held(evidence: Evidence) -> Lean | None:
    """An application that holds neither connections nor state loses nothing with its container."""
    cattle = evidence.cattle
    if not cattle:
        return None
    states = {_word(item, "state") for item in cattle}
    dropped = _number(cattle[0], "dropped") or 0.0
    failed = _number(cattle[0], "failed") or 0.0
    if "lost" in states or dropped or failed:
        return None
    what = "no connection is held, and no state is told"
    if evidence.workload.hold is not None:
        what = f"{cattle[0].scenario.value} dropped no connection and failed no request"
        what += ", and no state was lost" if states - {None} else ", and no state is told"
    return Lean("nothing-held", Fit.CATTLE, what, decides=True)


def state(evidence: Evidence) -> Lean | None:
    """State in memory that a new container lacks, and an upgraded one keeps."""
    told = [found for item in evidence.cattle if (found := _word(item, "state"))]
    if not told or _word(evidence.hot, "state") != "kept":
        return None
    if set(told) == {"lost"}:
        says = "what the application keeps in memory was lost in every scenario that replaces "
        says += "containers, and kept by the hot upgrade"
        return Lean("state", Fit.PET, says)
    return None


def connections(evidence: Evidence) -> Lean | None:
    """Held connections: whether clients notice that they are gone."""
    if not evidence.cattle or evidence.hot is None or evidence.workload.hold is None:
        return None
    best = evidence.cattle[0]
    dropped = _number(best, "dropped") or 0.0
    worst, median = _number(best, "without_worst"), _number(best, "without_median")
    if not dropped or worst is None or median is None:
        return None
    name = best.scenario.value
    if median >= NOTICED_SECONDS:
        says = f"even in {name} half of the clients were without a connection for "
        says += f"{amount(median, Unit.SECONDS)} or longer; hot dropped none"
        return Lean("connections", Fit.PET, says)
    says = f"in {name} {_count(dropped)} connections were dropped and back within "
    says += f"{amount(worst, Unit.SECONDS)}; hot dropped none, so the cost of coming back decides"
    return Lean("connections", Fit.DEPENDS, says)


def requests(evidence: Evidence) -> Lean | None:
    """Requests that fail although containers are replaced as well as can be."""
    if not evidence.cattle or evidence.hot is None:
        return None
    best = evidence.cattle[0]
    failed = _number(best, "failed") or 0.0
    if failed and not _number(evidence.hot, "failed"):
        says = f"{_count(failed)} requests failed even in {best.scenario.value}, none in hot"
        return Lean("requests", Fit.PET, says)
    return None


def latency(evidence: Evidence) -> Lean | None:
    """The longest that a request took while the change was made."""
    if not evidence.cattle:
        return None
    best = evidence.cattle[0]
    mine, theirs = _number(evidence.hot, "longest_during"), _number(best, "longest_during")
    if mine is None or theirs is None:
        return None
    says = f"the longest request took {amount(mine, Unit.SECONDS)} in hot, "
    says += f"{amount(theirs, Unit.SECONDS)} in {best.scenario.value}"
    if mine >= PAUSE_SECONDS and mine >= FACTOR * theirs:
        return Lean("latency", Fit.CATTLE, says)
    if theirs >= PAUSE_SECONDS and theirs >= FACTOR * mine:
        return Lean("latency", Fit.PET, says)
    return None


def often(evidence: Evidence) -> Lean | None:
    """How many of the changes of the past could have gone hot."""
    history = evidence.history
    if history is None or not history.changes:
        return None
    share = history.hot / history.changes
    says = f"{history.hot} of the last {history.changes} changes could have gone hot"
    if share >= OFTEN:
        return Lean(HISTORY, Fit.PET, says)
    if share < SELDOM:
        return Lean(HISTORY, Fit.CATTLE, says)
    return Lean(HISTORY, Fit.DEPENDS, says)


def transfer(evidence: Evidence) -> Lean | None:
    """Bytes a day, where there are many."""
    mine, theirs = (evidence.costs.get(life) for life in (Life.PET, Life.CATTLE))
    if mine is None or theirs is None:
        return None
    if theirs.per_day >= MUCH_BYTES and theirs.per_day >= MANY_TIMES * mine.per_day:
        says = f"{amount(theirs.per_day, Unit.BYTES)} a day as cattle, "
        says += f"{amount(mine.per_day, Unit.BYTES)} as a pet"
        return Lean("transfer", Fit.PET, says)
    return None


RULES: tuple[Callable[[Evidence], Lean | None], ...] = (
    can_go_hot,
    hot_harms,
    nothing_held,
    state,
    connections,
    requests,
    latency,
    often,
    transfer,
)


# --- the verdict ---


def judge(evidence: Evidence) -> Verdict:
    """Ask every rule: one that decides alone is the verdict; else they have to agree."""
    leans = [lean for rule in RULES if (lean := rule(evidence)) is not None]
    if not evidence.measured:
        return _unmeasured(leans)
    deciding = [lean for lean in leans if lean.decides]
    if deciding:
        return _verdict(Fit.CATTLE, leans, deciding[0])
    # That changes could go hot is no reason for them to: something has to be gained.
    gained = [lean for lean in leans if lean.towards is Fit.PET and lean.rule != HISTORY]
    against = [lean for lean in leans if lean.towards is Fit.CATTLE]
    undecided = [lean for lean in leans if lean.towards is Fit.DEPENDS]
    if evidence.hot is None:
        return _without_hot(evidence, leans, undecided)
    if gained and not against:
        return _verdict(Fit.PET, leans)
    if not gained and (against or not undecided):
        return _verdict(Fit.CATTLE, leans)
    return _verdict(Fit.DEPENDS, leans)


def _without_hot(evidence: Evidence, leans: Sequence[Lean], undecided: Sequence[Lean]) -> Verdict:
    """Of the hot upgrade nothing is known, so nothing speaks for it, and nothing against it."""
    if undecided:
        return _verdict(Fit.DEPENDS, leans)
    why = next((item.noise for item in evidence.outcomes if item.scenario is Scenario.HOT), None)
    says = f"It depends: the hot upgrade was not measured{f' ({why})' if why else ''}."
    return Verdict(Fit.DEPENDS, says, leans)


def _unmeasured(leans: Sequence[Lean]) -> Verdict:
    if any(lean.decides for lean in leans):
        return _verdict(Fit.CATTLE, leans)
    says = "Nothing was measured, so it depends on what the application holds: connections and "
    says += "state speak for a pet, their absence for cattle."
    return Verdict(Fit.DEPENDS, says, leans)


def _verdict(fit: Fit, leans: Sequence[Lean], deciding: Lean | None = None) -> Verdict:
    mine = [lean for lean in leans if lean.towards is fit]
    first = deciding or (mine[0] if mine else None)
    ordered = [*([first] if first else []), *(lean for lean in leans if lean is not first)]
    return Verdict(fit, "".join(_says(fit, first, leans)), ordered)


def _says(fit: Fit, first: Lean | None, leans: Sequence[Lean]) -> Iterator[str]:
    match fit:
        case Fit.CATTLE:
            yield "Cattle: "
            yield first.says if first else "nothing was found that a pet would do better"
        case Fit.PET:
            yield "A pet: "
            yield first.says if first else ""
        case Fit.DEPENDS:
            yield "It depends: "
            yield "; ".join(lean.says for lean in leans)
    yield "."
