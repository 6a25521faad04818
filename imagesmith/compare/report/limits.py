"""What a comparison cannot say: it belongs into every report, beside what it says."""

from __future__ import annotations

from collections.abc import Iterator

from imagesmith.compare.comparison import Comparison
from imagesmith.compare.measured import Unit
from imagesmith.compare.reading import lateness
from imagesmith.compare.shown import amount

__all__ = ["limits"]


def limits(comparison: Comparison) -> list[str]:
    """Sentences, the most important first."""
    return list(_limits(comparison))


def _limits(comparison: Comparison) -> Iterator[str]:
    if comparison.static is None:
        work = comparison.workload
        asked = [f"{work.connections:,} connections"] if work.hold else []
        asked += [f"{work.rate:g} requests a second"] if work.path is not None else []
        load = " and ".join(asked) or "none"
        where = "1 replica" if work.replicas == 1 else f"{work.replicas} replicas"
        storm = " More connections make a longer storm when they come back." if work.hold else ""
        yield f"It was this load: {load}, at {where}.{storm}"
        yield (
            "It was one machine, which also ran the balancer and the clients. All of them share "
            "its cores, so latencies are good for comparing the ways with each other, and are not "
            "what users would see."
        )
        yield (
            "All traffic went over loopback. There was no network to be slow, and a container "
            "never had to be scheduled on another host."
        )
        yield (
            "Images had been pulled before. How long a transfer takes depends on your network, so "
            "bytes are shown and seconds are not."
        )
        yield (
            "The application changed alone: no database was migrated, and no other service had to "
            "speak with both versions."
        )
        late = max(
            (late for item in comparison.outcomes for run in item.runs for late in lateness(run)),
            default=None,
        )
        if late is not None:
            yield (
                f"The probe itself was up to {amount(late, Unit.SECONDS)} late with a request: "
                "differences in latency below that mean nothing."
            )
        runs = [len(outcome.runs) for outcome in comparison.outcomes if outcome.runs]
        if runs and max(runs) == 1:
            yield "Each way was gone once, so there is no spread: `--repeat 5` shows one."
    yield (
        "Bytes are those of the layers that the other side lacks, as compressed, and of the files "
        "that go onto a pet's volume, which are not; without the protocol around them."
    )
    yield "It was this change. Another one can be impossible to make hot: `imagesmith plan` says."
