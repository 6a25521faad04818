"""One scenario gone once: OLD deployed and loaded, changed to NEW, killed, and back to OLD."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from imagesmith.compare.balancer import LOOPBACK, Balancer
from imagesmith.compare.fleet import Fleet
from imagesmith.compare.lab import open_lab
from imagesmith.compare.meter import metered
from imagesmith.compare.record import Killed, Record
from imagesmith.compare.replica import Kind
from imagesmith.compare.run import Load, Phase, Run
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.ways import Way
from imagesmith.compare.workload import Workload
from imagesmith.docker.sdk import connect, telling
from imagesmith.errors import CompareError, DockerError, UpgradeError

if TYPE_CHECKING:
    from docker.client import DockerClient

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


def conduct(
    scenario: Scenario,
    setting: Setting,
    images: Mapping[str, str],
    way: Way,
    tell: Callable[[str], None],
) -> Run:
    """Go it once; `images` are references by version, of the scenario's life.

    Everything started is removed before this returns or raises. What OLD or NEW does not do as it
    is told once OLD is loaded is the run's trouble. Raises DockerError, CompareError for all else.
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
        check = probe.check if probe else _no_check
        try:
            _go(fleet, way, setting.settle, record, check, partial(_trouble, client, tell))
        except _Trouble as trouble:
            record.trouble = str(trouble)
        load = probe.stop() if probe else Load(time.monotonic() - record.began, (), (), 0.0)
    return record.run(load, meter.uses)


def _loaded(workload: Workload, balancer: Balancer) -> AbstractContextManager[Probe | None]:
    if workload.path is None and workload.hold is None:
        return nullcontext()
    from imagesmith.compare.probe.process import Probe

    requests, held = ((LOOPBACK, port) for port in (balancer.ports.requests, balancer.ports.held))
    return Probe.start(workload, http=requests, hold=held)


class _Trouble(Exception):
    """Where a run ended, and why, in one line."""


def _no_check() -> None:
    """Where nothing is loaded, no probe can die."""


@contextmanager
def _trouble(client: DockerClient, tell: Callable[[str], None], where: str) -> Iterator[None]:
    """An error of the application's is the run's. Raises DockerError where it is Docker that is
    gone: then there is no other run either."""
    try:
        yield
    except (UpgradeError, CompareError, DockerError) as error:
        with telling("the comparison is given up"):
            client.ping()
        tell(f"trouble {where}: {error.message}" + (f"\n  {error.hint}" if error.hint else ""))
        lines = (line.strip() for line in error.message.splitlines())
        raise _Trouble(f"{where}: {'; '.join(lines)}") from error


def _go(
    fleet: Fleet,
    way: Way,
    settle: float,
    record: Record,
    check: Callable[[], None],
    trouble: Callable[[str], AbstractContextManager[None]],
) -> None:
    with record.phase(Phase.BEFORE):
        time.sleep(settle)
    check()
    with record.phase(Phase.CHANGE), trouble("in the change"):
        record.pauses = way.change(fleet)
    check()
    with record.phase(Phase.AFTER):
        time.sleep(settle)
    check()
    with record.phase(Phase.CRASH), trouble("after the crash"):
        fleet.kill()
        killed = time.monotonic()
        fleet.revive()
        record.killed = Killed(killed, time.monotonic())
        time.sleep(CRASH_SETTLE_SECONDS)
    check()
    with record.phase(Phase.BACK), trouble("on the way back"):
        way.back(fleet)
    check()
    with record.phase(Phase.END):
        time.sleep(settle)
