"""One scenario gone once: OLD deployed and loaded, changed to NEW, killed, and back to OLD."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
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
        try:
            _Course(fleet, way, setting, record, probe, client, tell).go()
        except _Trouble as trouble:
            record.trouble = str(trouble)
        load = probe.stop() if probe else Load(time.monotonic() - record.began, (), ())
    return record.run(load, meter.uses)


def _loaded(workload: Workload, balancer: Balancer) -> AbstractContextManager[Probe | None]:
    if workload.path is None and workload.hold is None:
        return nullcontext()
    from imagesmith.compare.probe.process import Probe

    requests, held = ((LOOPBACK, port) for port in (balancer.ports.requests, balancer.ports.held))
    return Probe.start(workload, http=requests, hold=held)


class _Trouble(Exception):
    """Where a run ended, and why, in one line."""


@dataclass(frozen=True, slots=True)
class _Course:
    """The phases of a run, one after the other; the probe is to live through all of them."""

    fleet: Fleet
    way: Way
    setting: Setting
    record: Record
    probe: Probe | None
    client: DockerClient
    tell: Callable[[str], None]

    def go(self) -> None:
        """All of them. Raises _Trouble; DockerError or CompareError if Docker or probe is gone."""
        with self._phase(Phase.BEFORE):
            time.sleep(self.setting.settle)
        with self._phase(Phase.CHANGE, "in the change"):
            self.record.pauses = self.way.change(self.fleet)
        with self._phase(Phase.AFTER):
            time.sleep(self.setting.settle)
        with self._phase(Phase.CRASH, "after the crash"):
            self._crash()
        with self._phase(Phase.BACK, "on the way back"):
            self.way.back(self.fleet)
        with self._phase(Phase.END):
            time.sleep(self.setting.settle)

    @contextmanager
    def _phase(self, phase: Phase, where: str = "") -> Iterator[None]:
        with self.record.phase(phase):
            try:
                yield
            except (UpgradeError, CompareError, DockerError) as error:
                raise self._trouble(where, error) from error
        if self.probe:
            self.probe.check()

    def _trouble(self, where: str, error: UpgradeError | CompareError | DockerError) -> _Trouble:
        """What the application did not do is the run's. Raises DockerError where it is Docker that
        is gone: then there is no other run either."""
        with telling("the comparison is given up"):
            self.client.ping()
        way_out = f"\n  {error.hint}" if error.hint else ""
        self.tell(f"trouble {where}: {error.message}{way_out}")
        lines = (line.strip() for line in error.message.splitlines())
        return _Trouble(f"{where}: {'; '.join(lines)}")

    def _crash(self) -> None:
        killed = time.monotonic()
        self.fleet.kill()
        dead = time.monotonic()
        self.fleet.revive()
        self.record.killed = Killed(killed, dead, time.monotonic())
        time.sleep(CRASH_SETTLE_SECONDS)
        within = CLIENTS_SECONDS + self.setting.workload.jitter
        if self.probe and not self.probe.all_live(within):
            self.fleet.tell(f"some clients are not back within {within:g} s")
