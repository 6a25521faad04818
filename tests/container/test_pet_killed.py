"""kill -9 of the VM, of the container and of `imagesmith upgrade`, at any moment of an upgrade.

The next start always serves, at the version that is permanent; the same upgrade can be applied
again, and leaves the volume that an upgrade leaves which nobody killed.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from tests.docker import docker, wait_until
from tests.pet.attempt import Attempt, Line, attempt
from tests.pet.pets import Pets, imagesmith
from tests.pet.shopnode import VOLUME, ShopNode, shop_node

pytestmark = pytest.mark.container

SEED = 25
KILLS = 10
SOAK_KILLS = 100
STEPS = (("0.1.0", "0.2.0"), ("0.2.0", "0.3.0"))
WATCH = 0.5
WATCHED = ("--watch", str(WATCH))
MARKS = f"{VOLUME}/.imagesmith"
VM = "read vm _ </proc/1/task/1/children && kill -9 $vm"
"""The VM is the first child of docker-init; what came later is epmd (proc_pid_task(5))."""


@pytest.mark.parametrize("pets", ["otp25"], indirect=True)
def test_ten_kills_harm_no_later_start_and_no_later_upgrade(pets: Pets) -> None:
    kill_many(pets, KILLS)


@pytest.mark.soak
def test_a_hundred_kills_harm_no_later_start_and_no_later_upgrade(pets: Pets) -> None:
    """A half for each OTP."""
    kill_many(pets, int(os.environ.get("IMAGESMITH_SOAK", SOAK_KILLS)) // 2)


@dataclass(frozen=True, slots=True)
class Blow:
    """What is killed, and at which part of an upgrade's span."""

    of: str
    part: float


def blows(kills: int) -> list[Blow]:
    """The moments are spread evenly, and so are those of each kind; no order is in them."""
    numbers = random.Random(SEED)
    kinds = cycle(("the VM", "the command", "the container", "the command, then a restart"))
    parts = [(number + numbers.random()) / kills for number in range(kills)]
    made = [Blow(kind, part) for part, kind in zip(parts, kinds, strict=False)]
    numbers.shuffle(made)
    return made


@dataclass(frozen=True, slots=True)
class Whole:
    """A step that nobody killed: what was said when, how long it took, what the volume holds."""

    lines: Sequence[Line]
    seconds: float
    files: Mapping[str, str]


def kill_many(pets: Pets, kills: int) -> None:
    """Two upgrades a container, both struck once."""
    whole = measure(pets)
    left = blows(kills)
    while left:
        with shop_node(pets.image, "--init") as node:
            for (before, after), blow in zip(STEPS, (left.pop(), *left[-1:]), strict=False):
                if before != STEPS[0][0]:
                    left.pop()
                strike(node, pets.bundles[after], blow, whole[after], before, after)


def measure(pets: Pets) -> Mapping[str, Whole]:
    """The two steps without a blow, by the version that they lead to."""
    found = {}
    with shop_node(pets.image, "--init") as node:
        for _, after in STEPS:
            with attempt(pets.bundles[after], node.id, *WATCHED) as going:
                assert going.end() == 0, going
                found[after] = Whole(going.lines, going.now(), node.files())
    return found


def strike(node: ShopNode, bundle: Path, blow: Blow, whole: Whole, before: str, after: str) -> None:
    """One upgrade, killed and applied again."""
    started = node.state()["StartedAt"]
    with attempt(bundle, node.id, *WATCHED) as going:
        going.wait_until(blow.part * whole.seconds, whole.lines)
        if blow.of == "the VM":
            node.run("sh", "-c", VM)
        elif blow.of == "the container":
            docker("kill", node.id)
            docker("start", node.id)
        else:
            going.process.kill()
        struck = going.now()
        code = going.end()
        if blow.of == "the command, then a restart":
            docker("restart", "--time", "0", node.id)
        told = f"{blow}, {before} to {after}, after {struck:.2f} s, code {code}:\n{going}\n"
        if blow.of != "the command":
            wait_until(lambda: node.state()["StartedAt"] != started, lambda: told, seconds=60)
            check_start(node, possible(going, code, struck, before, after), told)
        done = node.command("upgrade", bundle, "--watch", "0")
        told += f"again:\n{done.stderr}{done.stdout}\n"
        assert done.returncode == 0, told + node.logs()
        assert node.version() == after, told
        assert status(node) == (after, after, None), told
        assert node.files() == whole.files, told


def check_start(node: ShopNode, permanent: set[str], told: str) -> None:
    """It serves, at the version that is permanent, and nothing half done is left."""
    wait_until(lambda: serves(node), lambda: told + node.logs(), seconds=60)
    found = node.output("cat", f"{MARKS}/permanent")
    assert found in permanent, told
    assert node.version() == found, told
    assert node.run("sh", "-c", f"ls -d {MARKS}/new-*").stdout == "", told
    assert status(node)[:2] == (found, found), told


def possible(going: Attempt, code: int, struck: float, before: str, after: str) -> set[str]:
    """Which version may be permanent: the new one if it was confirmed, the old one if the blow was
    over before the watch was."""
    if code == 0 or going.said(f"imagesmith: {after} is permanent") is not None:
        return {after}
    watching = going.said("watching")
    if watching is None or struck < watching + WATCH:
        return {before}
    return {before, after}


def serves(node: ShopNode) -> bool:
    try:
        return bool(node.get("/")["app"] == "shop")
    except (OSError, ValueError, AssertionError, IndexError):
        return False


def status(node: ShopNode) -> tuple[str, str, str | None]:
    """What runs, what is permanent, who holds the lock."""
    done = imagesmith("status", "--container", node.id, "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    return found["current"], found["permanent"], found["lock"]
