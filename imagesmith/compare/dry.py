"""What a comparison would do, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagesmith.compare.comparison import Planned
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.verdict import HOT
from imagesmith.compare.workload import HoldHttp, HoldTcp, HoldWebsocket, Workload

__all__ = ["plan_of_action"]


def plan_of_action(
    name: str,
    versions: tuple[str, str],
    workload: Workload,
    planned: Planned,
    scenarios: Sequence[Scenario],
    *,
    repeat: int,
    settle: float,
    runs_docker: bool,
) -> Iterator[str]:
    """Its lines."""
    old, new = versions
    yield f"{name} {old} to {new}, and back; the plan says: {planned.verdict}"
    yield "build: OLD and NEW as cattle and as a pet, each with an empty layer cache at first"
    if not runs_docker:
        yield "here no Docker answers: of what follows, nothing would be run"
    yield f"load: {' and '.join(_load(workload)) or 'none'}"
    for scenario in scenarios:
        if scenario is Scenario.HOT and planned.verdict != HOT:
            yield f"{scenario.value}: not run, the change cannot go hot"
            continue
        yield f"{scenario.value}: {scenario.words}; {_times(repeat)}"
        yield f"  {workload.replicas} of {old} behind HAProxy; {settle:g} s of load; to {new}; "
        yield f"  {settle:g} s; all killed and started again; back to {old}; {settle:g} s"
    yield "then everything that was started is removed"


def _times(repeat: int) -> str:
    return "once" if repeat == 1 else f"{repeat} times"


def _load(workload: Workload) -> Iterator[str]:
    if workload.path is not None:
        yield f"{workload.rate:g} GETs a second of {workload.path} at port {workload.port}"
    match workload.hold:
        case HoldHttp() as hold:
            yield f"{workload.connections} kept connections that GET {hold.path} at {hold.port}"
        case HoldWebsocket() as hold:
            yield f"{workload.connections} WebSockets at {hold.path}, port {hold.port}"
        case HoldTcp() as hold:
            yield f"{workload.connections} TCP connections to port {hold.port}"
