"""One scenario gone once: OLD deployed and loaded, changed to NEW, killed, and back to OLD."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imagesmith.compare.balancer import Balancer
from imagesmith.compare.fleet import Fleet
from imagesmith.compare.lab import LOOPBACK, open_lab
from imagesmith.compare.meter import metered
from imagesmith.compare.replica import Kind
from imagesmith.compare.run import Crash, Load, Phase, Run, Span, Step
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.ways import Way
from imagesmith.compare.workload import Workload
from imagesmith.docker.sdk import connect

if TYPE_CHECKING:
    from imagesmith.compare.probe.process import Probe

__all__ = ["Setting", "conduct"]

CRASH_SETTLE_SECONDS = 3.0
"""Held connections come back in it, so that the way back begins with all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is the same for every run. `settle`: seconds for which nothing is done, before and
    after each change; `drain`: the most that a container taken out of the balancer is left alone.
    """

    workload: Workload
    kind: Kind
    old: str
    new: str
    balancer: str
    network: str | None
    settle: float
    drain: float


@dataclass(slots=True)
class _Clock:
    """Puts everything on one axis, whose zero is known when the load has begun."""

    began: float = 0.0
    steps: list[tuple[float, str]] = field(default_factory=list)
    phases: dict[Phase, tuple[float, float]] = field(default_factory=dict)

    def step(self, text: str) -> None:
        self.steps.append((time.monotonic(), text))

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.phases[phase] = (began, time.monotonic())


def conduct(
    scenario: Scenario,
    setting: Setting,
    images: Mapping[str, str],
    way: Way,
    tell: Callable[[str], None],
) -> Run:
    """Go it once; `images` are references by version, of the scenario's life.

    Everything started is removed before this returns or raises. Raises DockerError, CompareError,
    and UpgradeError where a hot upgrade fails.
    """
    client = connect("compare")
    clock = _Clock()
    with ExitStack() as opened:
        opened.callback(client.close)
        lab = opened.enter_context(open_lab(client, setting.network))

        def step(text: str) -> None:
            clock.step(text)
            tell(text)

        balancer = lab.balancer(setting.balancer, setting.workload)
        fleet = Fleet(lab, balancer, setting.kind, scenario.life, images, setting.drain, tell)
        fleet.take_in(fleet.start(setting.old, setting.workload.replicas))
        fleet.tell = step
        meter = opened.enter_context(metered(client, fleet.ids))
        probe = opened.enter_context(_loaded(setting.workload, balancer))
        clock.began = probe.began if probe else time.monotonic()
        pauses, killed = _go(fleet, way, setting.settle, clock)
        load = probe.stop() if probe else Load(time.monotonic() - clock.began, (), (), 0.0)
    zero = clock.began
    return Run(
        scenario,
        load,
        {phase: Span(began - zero, ended - zero) for phase, (began, ended) in clock.phases.items()},
        [Step(at - zero, text) for at, text in clock.steps],
        [replace(use, at=use.at - zero) for use in meter.uses],
        pauses,
        _crash(load, killed.at - zero, killed.ready - zero),
    )


def _loaded(workload: Workload, balancer: Balancer) -> AbstractContextManager[Probe | None]:
    if workload.path is None and workload.hold is None:
        return nullcontext()
    from imagesmith.compare.probe.process import Probe

    requests, held = ((LOOPBACK, port) for port in (balancer.ports.requests, balancer.ports.held))
    return Probe.start(workload, http=requests, hold=held)


@dataclass(frozen=True, slots=True)
class _Killed:
    """When all containers were killed, and when all were ready again."""

    at: float
    ready: float


def _go(fleet: Fleet, way: Way, settle: float, clock: _Clock) -> tuple[list[float], _Killed]:
    with clock.phase(Phase.BEFORE):
        time.sleep(settle)
    with clock.phase(Phase.CHANGE):
        pauses = way.change(fleet)
    with clock.phase(Phase.AFTER):
        time.sleep(settle)
    fleet.kill()
    killed = time.monotonic()
    fleet.revive()
    ready = time.monotonic()
    time.sleep(CRASH_SETTLE_SECONDS)
    with clock.phase(Phase.BACK):
        way.back(fleet)
    with clock.phase(Phase.END):
        time.sleep(settle)
    return pauses, _Killed(killed, ready)


def _crash(load: Load, killed: float, ready: float) -> Crash:
    """What the requests tell that were due after the kill; else what the readiness probe did."""
    after = sorted(
        (item for item in load.requests if item.due >= killed and item.failure is None),
        key=lambda item: item.due + item.seconds,
    )
    if not after:
        return Crash(None, ready - killed, None)
    first = after[0]
    told = sorted(load.requests, key=lambda item: item.due)
    last = {
        item.server: item.state for item in told if item.due < killed and item.state is not None
    }
    states = [item.state for item in after if item.state is not None and item.due < ready + 1.0]
    kept = min(states) >= min(last.values()) if states and last else None
    return Crash(first.version, first.due + first.seconds - killed, kept)
