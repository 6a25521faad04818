"""Runs written by hand. BEFORE is 0 to 10 s, CHANGE to 15, AFTER to 25, BACK to 28, END to 40."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagesmith.compare.run import Client, Crash, Load, Phase, Request, Run, Span, Use
from imagesmith.compare.scenario import Scenario

__all__ = ["CRASHED", "PHASES", "client", "request", "run"]

PHASES = {
    Phase.BEFORE: Span(0.0, 10.0),
    Phase.CHANGE: Span(10.0, 15.0),
    Phase.AFTER: Span(15.0, 25.0),
    Phase.BACK: Span(25.0, 28.0),
    Phase.END: Span(28.0, 40.0),
}


CRASHED = PHASES | {Phase.AFTER: Span(15.0, 22.0), Phase.CRASH: Span(22.0, 25.0)}
"""With a crash, which the others are without."""


def client(*live: tuple[float, float], drops: Sequence[float] | None = None) -> Client:
    """A client that was live then; it lost its connection at each end but the load's."""
    ends = [ended for _, ended in live if ended < 40.0]
    return Client(number=0, live=live, drops=ends if drops is None else drops)


def request(due: float, seconds: float = 0.01, **told: str | float | None) -> Request:
    """A request; `told` is what the answer said."""
    return replace(Request(due, seconds), **told)  # type: ignore[arg-type]  # fields by name


def run(
    *,
    requests: Sequence[Request] = (),
    clients: Sequence[Client] = (),
    uses: Sequence[Use] = (),
    phases: dict[Phase, Span] = PHASES,
    pauses: Sequence[float] = (),
    crash: Crash | None = None,
) -> Run:
    """A run of 40 s."""
    return Run(
        scenario=Scenario.ROLLING,
        load=Load(seconds=40.0, requests=requests, clients=clients),
        phases=phases,
        steps=(),
        uses=uses,
        pauses=pauses,
        crash=crash,
    )
