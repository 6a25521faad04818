"""When a set of runs means nothing, because of the machine that it was made on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagesmith.compare.reading import due_in, percentile
from imagesmith.compare.run import Phase, Run

__all__ = ["noise"]

LATE = 0.25
"""Seconds by which the probe may send a request late. The probe then stood still as long, and all
that it measured may be as much too long: more than a user would notice (100 ms), less than a start
of a container."""
LATE_OFTEN = 0.01
"""The share of requests that may be more than 50 ms late: beyond it, the p99 is the probe's own."""
APART = 3.0
"""The factor by which the p99 before the change, when nothing is done, may differ between runs."""
CALM = 0.025
"""Seconds: p99s below it are not compared, for a scheduler's whims make them several times
longer."""


def noise(runs: Sequence[Run]) -> str | None:
    """Why the figures of these runs of one scenario mean nothing, or None. A run without a phase
    BEFORE says nothing of it."""
    return "; ".join([*_late(runs), *_unwell(runs), *_apart(runs)]) or None


def _late(runs: Sequence[Run]) -> Iterator[str]:
    late = max((run.load.late for run in runs), default=0.0)
    if late > LATE:
        yield (
            f"the machine was too busy to measure: the probe itself sent a request {late:.2f} s "
            f"late (at most {LATE:g} s)"
        )
    shares = (run.load.late_often / len(run.load.requests) for run in runs if run.load.requests)
    share = max(shares, default=0.0)
    if share > LATE_OFTEN:
        yield (
            f"the machine was too busy to measure: the probe itself sent {share:.1%} of the "
            f"requests more than 50 ms late (at most {LATE_OFTEN:.0%})"
        )


def _unwell(runs: Sequence[Run]) -> Iterator[str]:
    """What goes wrong while nothing is done is not the change's doing."""
    failed, asked, dropped = 0, 0, 0
    for run in runs:
        if Phase.BEFORE not in run.phases:
            continue
        span = run.phases[Phase.BEFORE]
        requests = due_in(run, span)
        asked += len(requests)
        failed += sum(request.failure is not None for request in requests)
        dropped += sum(
            span.began <= at < span.ended for client in run.load.clients for at in client.drops
        )
    if failed:
        yield f"{failed} of {asked} requests failed before the change was begun"
    if dropped:
        yield f"{dropped} held connections were dropped before the change was begun"


def _apart(runs: Sequence[Run]) -> Iterator[str]:
    p99s = []
    for run in runs:
        if Phase.BEFORE in run.phases:
            answered = [
                request.seconds
                for request in due_in(run, run.phases[Phase.BEFORE])
                if request.failure is None
            ]
            p99 = percentile(answered, 0.99, 100)
            if p99 is not None:
                p99s.append(max(p99, CALM))
    if p99s and max(p99s) > APART * min(p99s):
        least = "at most" if min(p99s) == CALM else "from"
        yield (
            f"the runs are not alike: the p99 before the change was {least} "
            f"{min(p99s) * 1000:.0f} ms in one and {max(p99s) * 1000:.0f} ms in another "
            f"(at most {APART:g} times as long)"
        )
