"""One scenario gone once: OLD deployed and loaded, changed to NEW, killed, and back to OLD."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesmith.compare.balancer import Balancer
from imagesmith.compare.fleet import Fleet
from imagesmith.compare.lab import LOOPBACK, open_lab
from imagesmith.compare.meter import metered
from imagesmith.compare.record import Killed, Record
from imagesmith.compare.replica import Kind
from imagesmith.compare.run import Load, Phase, Run
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.ways import Way
from imagesmith.compare.workload import Workload
from imagesmith.docker.sdk import connect
from imagesmith.errors import UpgradeError

if TYPE_CHECKING:
    from imagesmith.compare.probe.process import Probe

__all__ = ["Setting", "conduct"]

CRASH_SETTLE_SECONDS = 3.0
"""In it state grows anew, for the way back to keep or lose."""
CLIENTS_SECONDS = 15.0
"""The most that held connections then have to come back, so that the way back begins with all of
them: a client that just failed waits 5 s for its next try, and gives that one 5 s."""


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


def conduct(
    scenario: Scenario,
    setting: Setting,
    images: Mapping[str, str],
    way: Way,
    tell: Callable[[str], None],
) -> Run:
    """Go it once; `images` are references by version, of the scenario's life.

    Everything started is removed before this returns or raises. Raises DockerError, CompareError;
    a hot upgrade that fails is the run's trouble.
    """
    client = connect("compare")
    record = Record(scenario)
    with ExitStack() as opened:
        opened.callback(client.close)
        lab = opened.enter_context(open_lab(client, setting.network))

        def step(text: str) -> None:
            record.step(text)
            tell(text)

        balancer = lab.balancer(setting.balancer, setting.workload)
        fleet = Fleet(lab, balancer, setting.kind, scenario.life, images, setting.drain, tell)
        fleet.take_in(fleet.start(setting.old, setting.workload.replicas))
        fleet.tell = step
        meter = opened.enter_context(metered(client, fleet.ids))
        probe = opened.enter_context(_loaded(setting.workload, balancer))
        record.began = probe.began if probe else time.monotonic()
        try:
            _go(fleet, way, setting, record, probe)
        except UpgradeError as error:
            record.trouble = error.message
        load = probe.stop() if probe else Load(time.monotonic() - record.began, (), ())
    return record.run(load, meter.uses)


def _loaded(workload: Workload, balancer: Balancer) -> AbstractContextManager[Probe | None]:
    if workload.path is None and workload.hold is None:
        return nullcontext()
    from imagesmith.compare.probe.process import Probe

    requests, held = ((LOOPBACK, port) for port in (balancer.ports.requests, balancer.ports.held))
    return Probe.start(workload, http=requests, hold=held)


def _go(fleet: Fleet, way: Way, setting: Setting, record: Record, probe: Probe | None) -> None:
    with record.phase(Phase.BEFORE):
        time.sleep(setting.settle)
    with record.phase(Phase.CHANGE):
        record.pauses = way.change(fleet)
    with record.phase(Phase.AFTER):
        time.sleep(setting.settle)
    with record.phase(Phase.CRASH):
        killed = time.monotonic()
        fleet.kill()
        dead = time.monotonic()
        fleet.revive()
        record.killed = Killed(killed, dead, time.monotonic())
        time.sleep(CRASH_SETTLE_SECONDS)
        within = CLIENTS_SECONDS + setting.workload.jitter
        if probe and not probe.all_live(within):
            fleet.tell(f"some clients are not back within {within:g} s")
    with record.phase(Phase.BACK):
        way.back(fleet)
    with record.phase(Phase.END):
        time.sleep(setting.settle)
