"""Which runs mean something, on the machine that they were made on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagesmith.compare.reading import drops_in, due_in, lateness, percentile
from imagesmith.compare.run import Phase, Run

__all__ = ["quiet"]

LATE = 0.25
"""Seconds by which the probe may send a request late. The probe then stood still as long, and all
that it measured may be as much too long: more than a user would notice (100 ms), less than a start
of a container."""
LATE_OFTEN = 0.01
"""The share of requests that may be more than OFTEN_SECONDS late: beyond it, the p99 is the probe's
own."""
OFTEN_SECONDS = 0.05
UNWELL = 0.01
"""The share of requests that may fail before the change, or of connections that may be dropped: one
in two thousand is an accident, which is told; more are an application that is not well, or a
machine."""
APART = 3.0
"""The factor by which the p99 before the change, when nothing is done, may differ between runs."""
CALM = 0.025
"""Seconds: p99s below it are not compared, for a scheduler's whims make them several times
longer."""


def quiet(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Of the runs of one scenario those that count, and sentences (without a full stop) on the
    others and on what was odd. None count where fewer than a majority would: then the sentences say
    why nothing does. A run without a phase BEFORE says nothing of it."""
    troubled = {at: found for at, run in enumerate(runs) if (found := [*_late(run), *_unwell(run)])}
    alike, apart = _alike([run for at, run in enumerate(runs) if at not in troubled])
    reasons = list(dict.fromkeys([*(why for found in troubled.values() for why in found), *apart]))
    if 2 * len(alike) <= len(runs):
        return [], reasons
    left = len(runs) - len(alike)
    remarks = list(_accidents(alike))
    if left:
        count = f"{left} of {len(runs)} runs {'does' if left == 1 else 'do'} not count"
        remarks.insert(0, f"{count}: {'; '.join([*reasons, *_ended(runs, alike)])}")
    return alike, remarks


def _late(run: Run) -> Iterator[str]:
    late = lateness(run)
    most = max(late, default=0.0)
    if most > LATE:
        yield (
            f"the machine was too busy to measure: the probe itself sent a request {most:.2f} s "
            f"late (at most {LATE:g} s)"
        )
    share = sum(seconds > OFTEN_SECONDS for seconds in late) / max(1, len(late))
    if share > LATE_OFTEN:
        yield (
            f"the machine was too busy to measure: the probe itself sent {share:.1%} of the "
            f"requests more than {OFTEN_SECONDS * 1000:.0f} ms late (at most {LATE_OFTEN:.0%})"
        )


def _unwell(run: Run) -> Iterator[str]:
    """What goes wrong while nothing is done is not the change's doing."""
    failed, asked, dropped = _wrong(run)
    if failed > UNWELL * asked:
        yield f"{failed} of {asked} requests failed before the change was begun"
    if dropped > UNWELL * len(run.load.clients):
        yield f"{_dropped(dropped)} dropped before the change was begun"


def _wrong(run: Run) -> tuple[int, int, int]:
    """Before the change: how many requests failed, how many there were, and how many connections
    were dropped."""
    if Phase.BEFORE not in run.phases:
        return 0, 0, 0
    span = run.phases[Phase.BEFORE]
    requests = due_in(run, span)
    failed = sum(request.failure is not None for request in requests)
    return failed, len(requests), len(drops_in(run, span))


def _dropped(count: int) -> str:
    return f"{count} held {'connection was' if count == 1 else 'connections were'}"


def _accidents(runs: Sequence[Run]) -> Iterator[str]:
    failed, asked, dropped = (sum(each) for each in zip(*map(_wrong, runs), strict=True))
    if failed:
        yield f"{failed} of {asked} requests failed already before the change was begun"
    if dropped:
        yield f"{_dropped(dropped)} dropped already before the change was begun"


def _alike(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """As many as there are whose p99s before the change are within APART of each other, the
    quickest of them where that is not settled; and why not all."""
    p99s = {at: p99 for at, run in enumerate(runs) if (p99 := _p99(run)) is not None}
    if not p99s or max(p99s.values()) <= APART * min(p99s.values()):
        return list(runs), []

    def with_least(least: float) -> list[int]:
        return [at for at, p99 in p99s.items() if least <= p99 <= APART * least]

    most = max((with_least(least) for least in sorted(p99s.values())), key=len)
    low, high = min(p99s.values()), max(p99s.values())
    words = "at most" if low == CALM else "from"
    return [run for at, run in enumerate(runs) if at in most or at not in p99s], [
        f"the runs are not alike: the p99 before the change was {words} {low * 1000:.0f} ms in one "
        f"and {high * 1000:.0f} ms in another (at most {APART:g} times as long)"
    ]


def _p99(run: Run) -> float | None:
    if Phase.BEFORE not in run.phases:
        return None
    requests = due_in(run, run.phases[Phase.BEFORE])
    answered = [request.seconds for request in requests if request.failure is None]
    p99 = percentile(answered, 0.99, 100)
    return None if p99 is None else max(p99, CALM)


def _ended(runs: Sequence[Run], counting: Sequence[Run]) -> Iterator[str]:
    """A run that failed says so, even if it does not count."""
    for run in runs:
        if run.trouble is not None and not any(run is item for item in counting):
            yield f"one ended early: {run.trouble}"
