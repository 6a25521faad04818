"""Which life fits: rules over what was measured and planned, each with the figure that decided it.

They are told, with why, in docs/compare.md; that came before any fixture was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.compare.comparison import Cost, Fit, History, Lean, Outcome, Planned, Verdict
from imagesmith.compare.measured import Spread, Unit, Words
from imagesmith.compare.run import Phase, Run
from imagesmith.compare.scenario import Life, Scenario
from imagesmith.compare.shown import amount
from imagesmith.compare.workload import HoldHttp, Workload

__all__ = ["Evidence", "judge"]

HOT = "hot"
HISTORY = "history"

OFTEN = 0.8
SELDOM = 0.5
"""A team lives with one way for nearly all changes: two roads that are both taken every week are
two to keep. Four of five may go hot, and the fifth takes a new container; under half is seldom."""

FEW = 5
"""Fewer changes say nothing of the next hundred."""

NOTICED_SECONDS = 1.0
"""Without a connection for longer, a person sees it: "the limit for the user's flow of thought to
stay uninterrupted" (Miller 1968; Nielsen 1993). A shorter gap costs only what coming back costs."""

PAUSE_SECONDS = 0.5
FACTOR = 2.0
"""What differs by less than twice, or stays under half a second, decides nothing: the next run of
the same comparison may show it the other way round."""

NOTHING = "nothing was found that a pet would do better"

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
    def tried_hot(self) -> Outcome | None:
        """The hot scenario, if it was gone at all, whatever came of it."""
        found = [item for item in self.outcomes if item.scenario is Scenario.HOT and item.runs]
        return found[0] if found else None

    @property
    def hot(self) -> Outcome | None:
        """The hot scenario, if its figures mean something."""
        return self.tried_hot if self.tried_hot in self.measured else None

    @property
    def cattle(self) -> Sequence[Outcome]:
        """The scenarios that replace containers, the gentlest first."""
        found = [item for item in self.measured if item.scenario.life is Life.CATTLE]
        return sorted((item for item in found if not _trouble(item)), key=_harm)

    @property
    def measured(self) -> Sequence[Outcome]:
        """Those whose figures mean something."""
        return [item for item in self.outcomes if item.runs and not item.noise]


def _trouble(outcome: Outcome) -> Run | None:
    """A run of it that ended before its time."""
    return next((run for run in outcome.runs if run.trouble), None)


def _harm(outcome: Outcome) -> tuple[float, float, float]:
    """What users notice: requests that failed, then the time without a connection, then drops."""
    keys = ("failed", "without_worst", "dropped")
    failed, without, dropped = (_number(outcome, key) or 0.0 for key in keys)
    return failed, without, dropped


def _number(outcome: Outcome | None, key: str) -> float | None:
    found = outcome.figures.get(key) if outcome else None
    return found.median if isinstance(found, Spread) else None


def _worst(outcome: Outcome | None, key: str) -> float:
    """Of all runs, as a claim that there was none has to hold for each; 0 where none can tell."""
    found = outcome.figures.get(key) if outcome else None
    return found.high if isinstance(found, Spread) else 0.0


def _word(outcome: Outcome | None, key: str) -> str | None:
    found = outcome.figures.get(key) if outcome else None
    return found.word if isinstance(found, Words) else None


def _count(number: float) -> str:
    return amount(number, Unit.COUNT)


def _many(number: float, what: str) -> str:
    """`no request`, `1 request`, `2 requests`."""
    return f"{_count(number) if number else 'no'} {what}{'s' if number > 1 else ''}"


# --- the rules ---


def can_go_hot(evidence: Evidence) -> Lean | None:
    """Where the change itself cannot go hot, there is nothing to choose for it."""
    planned, history = evidence.planned, evidence.history
    if planned.verdict == HOT:
        return None
    why = planned.reasons[0] if planned.reasons else planned.verdict
    says = f"this change cannot go hot ({planned.verdict}: {why})"
    if history and history.changes >= FEW and history.hot / history.changes >= OFTEN:
        return Lean(
            "can-go-hot",
            Fit.DEPENDS,
            f"{says}, but {history.hot} of the last {history.changes} changes could",
        )
    return Lean("can-go-hot", Fit.CATTLE, says, decides=True)


def hot_trouble(evidence: Evidence) -> Lean | None:
    """A hot upgrade that did not get through; or not back again, which can be lived with."""
    tried = evidence.tried_hot
    run = _trouble(tried) if tried else None
    if run is None:
        return None
    says = f"the hot upgrade had trouble: {run.trouble}"
    return Lean("hot-trouble", Fit.CATTLE, says, decides=Phase.CHANGE not in run.phases)


def hot_harms(evidence: Evidence) -> Lean | None:
    """A hot upgrade that fails requests or drops connections, and is no gentler in either."""
    hot, cattle = evidence.hot, evidence.cattle
    if hot is None or not cattle:
        return None
    mine = [_worst(hot, key) for key in ("failed", "dropped")]
    theirs = [_worst(cattle[0], key) for key in ("failed", "dropped")]
    if all(own <= other for own, other in zip(mine, theirs, strict=True)) and mine != theirs:
        return None
    if not any(mine):
        return None
    says = f"the hot upgrade failed {_many(mine[0], 'request')} and dropped "
    says += f"{_many(mine[1], 'connection')}; {cattle[0].scenario.value} failed "
    says += f"{_many(theirs[0], 'request')} and dropped {_many(theirs[1], 'connection')}"
    worse = all(own >= other for own, other in zip(mine, theirs, strict=True))
    return Lean("hot-harms", Fit.CATTLE, says, decides=worse)


def nothing_held(evidence: Evidence) -> Lean | None:
    """An application that holds neither connections nor state loses nothing with its container."""
    cattle = evidence.cattle
    if not cattle:
        return None
    states = {_word(item, "state") for item in cattle} - {None}
    if states - {"kept"} or _worst(cattle[0], "dropped") or _worst(cattle[0], "failed"):
        return None
    work = evidence.workload
    if work.path is None and work.hold is None:
        says = "nothing is asked of it and nothing is held, so replacing it takes nothing away"
        return Lean("nothing-held", Fit.CATTLE, says, decides=True)
    says = f"{cattle[0].scenario.value} dropped no connection and failed no request"
    says += ", and no state was lost" if states else ", and no state is told"
    # Through a balancer that speaks HTTP no client ever loses its connection.
    if isinstance(work.hold, HoldHttp | None) and not states:
        says += "; sockets or state, if it has any, have to be named under `compare:`"
        return Lean("nothing-held", Fit.CATTLE, says)
    return Lean("nothing-held", Fit.CATTLE, says, decides=True)


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
    hot = evidence.hot
    if not evidence.cattle or hot is None or evidence.workload.hold is None:
        return None
    best = evidence.cattle[0]
    dropped, kept = _number(best, "dropped") or 0.0, _number(hot, "dropped") or 0.0
    median, worst = _number(best, "without_median"), _number(best, "without_worst")
    mine = _number(hot, "without_median")
    if not dropped or median is None or worst is None or mine is None or kept >= dropped:
        return None
    name = best.scenario.value
    theirs = f"the hot upgrade dropped {_count(kept) if kept else 'none'}"
    if median >= NOTICED_SECONDS:
        says = f"even in {name} half of the clients were without a connection for "
        says += f"{amount(median, Unit.SECONDS)} or longer; {theirs}"
        if mine < NOTICED_SECONDS and mine * FACTOR <= median:
            return Lean("connections", Fit.PET, says)
        return Lean("connections", Fit.DEPENDS, says)
    says = f"in {name} {_many(dropped, 'connection')} were dropped and back within "
    says += f"{amount(worst, Unit.SECONDS)}; {theirs}, so what coming back costs decides"
    return Lean("connections", Fit.DEPENDS, says)


def requests(evidence: Evidence) -> Lean | None:
    """Requests that fail although containers are replaced as well as can be."""
    if not evidence.cattle or evidence.hot is None:
        return None
    best = evidence.cattle[0]
    failed = _number(best, "failed") or 0.0
    if failed >= FACTOR and not _worst(evidence.hot, "failed"):
        says = f"{_many(failed, 'request')} failed even in {best.scenario.value}, none in hot"
        return Lean("requests", Fit.PET, says)
    return None


def latency(evidence: Evidence) -> Lean | None:
    """The longest that a request took while the change was made."""
    if not evidence.cattle:
        return None
    best = evidence.cattle[0]
    if _worst(best, "failed") or _worst(evidence.hot, "failed"):
        return None  # of those that were answered, one says nothing of those that were not
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
    if history is None or history.changes < FEW:
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
    hot_trouble,
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
    if deciding := [lean for lean in leans if lean.decides]:
        return _verdict(Fit.CATTLE, leans, deciding[0])
    # That changes could go hot is no reason for them to: something has to be gained.
    gained = [lean for lean in leans if lean.towards is Fit.PET and lean.rule != HISTORY]
    against = [lean for lean in leans if lean.towards is Fit.CATTLE]
    undecided = [lean for lean in leans if lean.towards is Fit.DEPENDS]
    if missing := _missing(evidence):
        return Verdict(Fit.DEPENDS, f"It depends: {missing}.", leans)
    if gained and not against and not _stands_against(undecided):
        return _verdict(Fit.PET, leans, gained[0])
    if not gained and (against or not undecided):
        return _verdict(Fit.CATTLE, leans, against[0] if against else None)
    return _verdict(Fit.DEPENDS, leans)


def _stands_against(undecided: Sequence[Lean]) -> bool:
    """A change that cannot go hot is no pet's, whatever others could."""
    return any(lean.rule == can_go_hot.__name__.replace("_", "-") for lean in undecided)


def _missing(evidence: Evidence) -> str | None:
    """What was not measured, though the verdict rests on it: it then speaks for and against
    nothing."""
    if not any(item.runs for item in evidence.outcomes):
        return (
            "nothing was measured, and what the application holds decides; connections and state "
            "speak for a pet, their absence for cattle"
        )
    if not evidence.cattle:
        return f"no way of replacing containers was measured{_noise(evidence, Life.CATTLE)}"
    if evidence.hot is None and evidence.planned.verdict == HOT:
        return f"the hot upgrade was not measured{_noise(evidence, Life.PET)}"
    return None


def _noise(evidence: Evidence, life: Life) -> str:
    found = [item.noise for item in evidence.outcomes if item.scenario.life is life and item.noise]
    return f" ({found[0]})" if found else ""


def _verdict(fit: Fit, leans: Sequence[Lean], first: Lean | None = None) -> Verdict:
    ordered = [*([first] if first else []), *(lean for lean in leans if lean is not first)]
    title = {Fit.CATTLE: "Cattle", Fit.PET: "A pet", Fit.DEPENDS: "It depends"}[fit]
    said = first.says if first else "; ".join(lean.says for lean in leans)
    return Verdict(fit, f"{title}: {said or NOTHING}.", ordered)
