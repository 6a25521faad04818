"""How OLD makes way for NEW: each scenario is one function of the fleet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from imagesmith.compare.fleet import Fleet
from imagesmith.compare.scenario import Scenario
from imagesmith.docker.container import Container
from imagesmith.recipe import Probe
from imagesmith.upgrade.back import rollback
from imagesmith.upgrade.bundle import Bundle
from imagesmith.upgrade.group import upgrade_group
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.session import Options

__all__ = ["Way", "hot", "way_of"]


@dataclass(frozen=True, slots=True)
class Way:
    """`change` leads to NEW, `back` to OLD; both return the longest pauses, of hot upgrades, in
    seconds, one for each container."""

    change: Callable[[Fleet], list[float]]
    back: Callable[[Fleet], list[float]]


def way_of(scenario: Scenario, old: str, new: str) -> Way:
    """The way of a scenario that replaces containers."""
    go = {
        Scenario.RECREATE: _recreate,
        Scenario.ROLLING: _rolling,
        Scenario.BLUE_GREEN: _blue_green,
    }[scenario]
    return Way(partial(_without_pause, go, new), partial(_without_pause, go, old))


def _without_pause(go: Callable[[Fleet, str], None], version: str, fleet: Fleet) -> list[float]:
    go(fleet, version)
    return []


def _recreate(fleet: Fleet, version: str) -> None:
    """As Kubernetes' strategy Recreate: all old ones end before a new one starts."""
    old = list(fleet.serving)
    fleet.take_out(old)
    fleet.stop_all(old)
    fleet.take_in(fleet.start(version, len(old)))


def _rolling(fleet: Fleet, version: str) -> None:
    """As RollingUpdate with maxSurge 1 and maxUnavailable 0: the next one starts as soon as one is
    ready, while the old ones that it replaces still drain."""
    old = list(fleet.serving)
    retiring = []
    for replica in old:
        fleet.take_in(fleet.start(version, 1))
        fleet.take_out([replica])
        retiring.append(fleet.lab.pool.submit(fleet.retire, replica))
    for done in retiring:
        done.result()


def _blue_green(fleet: Fleet, version: str) -> None:
    """All traffic goes over at once, when all new ones are ready."""
    blue = list(fleet.serving)
    green = fleet.start(version, len(blue))
    fleet.take_in(green)
    fleet.take_out(blue)
    fleet.retire_all(blue)


def hot(bundle: Bundle, probe: Probe | None) -> Way:
    """Every container upgraded in place, one after the other, by `imagesmith upgrade`'s own means;
    and back by those of `imagesmith rollback`."""

    def change(fleet: Fleet) -> list[float]:
        containers = [Container(str(item.container.name)) for item in fleet.serving]
        options = Options(watch=0, probe=probe)
        done = upgrade_group(containers, bundle, options, partial(_short, fleet))
        return [item.installed.longest for item in done if item.installed]

    def back(fleet: Fleet) -> list[float]:
        for item in fleet.serving:
            tell = partial(_named, fleet, item.name)
            with Lines(Container(str(item.container.name))) as lines:
                rollback(lines, drain=10, force=False, tell=tell)
        return []

    return Way(change, back)


def _short(fleet: Fleet, text: str) -> None:
    """A step of an upgrade names its container; here each has a shorter name."""
    for item in fleet.serving:
        text = text.replace(str(item.container.name), item.name)
    fleet.tell(text)


def _named(fleet: Fleet, name: str, text: str) -> None:
    _short(fleet, f"{name}: {text}")
