"""The part of `compare` that needs a Docker: balancer, containers, images that go again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from imagesmith.cli.pets import say
from imagesmith.compare.balancer import balancer_version, build_balancer
from imagesmith.compare.conduct import Setting
from imagesmith.compare.lab import clear_dead, own_label
from imagesmith.compare.machine import read_machine
from imagesmith.compare.network import check_network
from imagesmith.compare.replica import Kind
from imagesmith.compare.session import measure
from imagesmith.compare.subject import put_together
from imagesmith.compare.tags import own_tags
from imagesmith.docker.sdk import connect
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.cli.compare_asked import Asked, Running
    from imagesmith.cli.compare_build import Built
    from imagesmith.compare.comparison import Comparison, History, Machine

__all__ = ["run_all"]


def run_all(asked: Asked, build: Callable[[str], Built], history: History | None) -> Comparison:
    """Measure every scenario of what `build` loads, whose images' names begin with what it is told.

    What Docker cannot do is found out before anything is built. Raises DockerError, CompareError,
    UsageError, and what `build` raises.
    """
    balancer, machine = _prepare(asked.running)
    with own_tags() as tags:
        built = build(tags)
        subject = asked.subject(built, history)
        outcomes = measure(
            asked.scenarios,
            asked.repeat,
            _setting(asked, balancer),
            built.images,
            built.bundle,
            subject.planned,
            say,
        )
    return put_together(subject, outcomes, machine)


def _prepare(running: Running) -> tuple[str, Machine]:
    """The balancer's image, and where it will run."""
    with closing(connect("compare")) as client:
        clear_dead(client)  # before the tags of the dead: an image goes when no container has it
        if running.network is not None:
            check_network(client, running.network)
        if running.balancer is None:
            say("building the balancer's image")
        balancer = running.balancer or build_balancer()
        version = balancer_version(balancer, own_label())
        told = f"{balancer} (HAProxy {version})"
        machine = read_machine(client, told, cpus=running.cpus, memory=running.memory)
    if running.cpus is not None and running.cpus > machine.cpus:
        raise UsageError(f"--cpus {running.cpus:g}: Docker has {machine.cpus} here")
    return balancer, machine


def _setting(asked: Asked, balancer: str) -> Setting:
    recipe, running, plan = asked.recipe, asked.running, asked.sides.plan
    assert recipe.probe is not None  # the workload was refused without it
    kind = Kind(
        release=plan.name,
        probe=recipe.probe,
        environment=running.environment,
        volume=recipe.pet.volume,
        cpus=running.cpus,
        memory=running.memory,
        ready_seconds=running.ready,
        stop_seconds=recipe.stop_timeout,
    )
    return Setting(
        workload=asked.workload,
        kind=kind,
        old=plan.before,
        new=plan.after,
        balancer=balancer,
        network=running.network,
        settle=running.settle,
        drain=running.drain,
    )
