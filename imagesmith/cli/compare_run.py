"""The part of `compare` that needs a Docker: balancer, containers, images that go again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesmith.cli.pets import say
from imagesmith.compare.balancer import build_balancer
from imagesmith.compare.conduct import Setting
from imagesmith.compare.machine import read_machine
from imagesmith.compare.replica import Kind
from imagesmith.compare.session import Subject, measure, put_together
from imagesmith.docker.images import untag_image
from imagesmith.docker.sdk import connect

if TYPE_CHECKING:
    from imagesmith.cli.compare_build import Built
    from imagesmith.compare.comparison import Comparison
    from imagesmith.compare.scenario import Scenario
    from imagesmith.recipe import Recipe

__all__ = ["Running", "run_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How everything is run, as the command line says it."""

    settle: float
    drain: float
    ready: float
    cpus: float | None
    memory: int | None
    environment: Mapping[str, str]
    network: str | None
    balancer: str | None


def run_all(
    recipe: Recipe,
    subject: Subject,
    built: Built,
    running: Running,
    scenarios: Sequence[Scenario],
    repeat: int,
) -> Comparison:
    """Measure every scenario. Raises DockerError, CompareError, UpgradeError."""
    assert recipe.probe is not None  # the workload was refused without it
    balancer = running.balancer or build_balancer()
    kind = Kind(
        release=subject.name,
        probe=recipe.probe,
        environment=running.environment,
        volume=recipe.pet.volume,
        cpus=running.cpus,
        memory=running.memory,
        ready_seconds=running.ready,
        stop_seconds=recipe.stop_timeout,
    )
    setting = Setting(
        workload=subject.workload,
        kind=kind,
        old=subject.old,
        new=subject.new,
        balancer=balancer,
        network=running.network,
        settle=running.settle,
        drain=running.drain,
    )
    client = connect("compare")
    machine = read_machine(client, balancer, cpus=running.cpus, memory=running.memory)
    client.close()
    with _untagged(built):
        outcomes = measure(
            scenarios, repeat, setting, built.images, built.bundle, subject.planned, say
        )
    return put_together(subject, outcomes, machine)


@contextmanager
def _untagged(built: Built) -> Iterator[None]:
    """The images go when they have been used: Docker keeps what other images share with them."""
    try:
        yield
    finally:
        for images in built.images.values():
            for reference in images.values():
                untag_image(reference)
