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
MARKS = f"{VOLUME}/.imagesmith"
VM = "read vm _ </proc/1/task/1/children; kill -9 $vm"
"""The VM is the first child of docker-init; what came later is epmd (proc_pid_task(5))."""


@pytest.mark.parametrize("pets", ["otp25"], indirect=True)
def test_ten_kills_harm_no_later_start_and_no_later_upgrade(pets: Pets) -> None:
    kill_many(pets, KILLS, of_each=5)


@pytest.mark.soak
def test_a_hundred_kills_harm_no_later_start_and_no_later_upgrade(pets: Pets) -> None:
    """A half for each OTP."""
    kill_many(pets, int(os.environ.get("IMAGESMITH_SOAK", SOAK_KILLS)) // 2, of_each=1)


@dataclass(frozen=True, slots=True)
class Blow:
    """What is killed, and at which part of an upgrade's span."""

    of: str
    part: float


@dataclass(frozen=True, slots=True)
class Whole:
    """A step that nobody killed: what was said when, how long it took, what the volume holds."""

    lines: Sequence[Line]
    seconds: float
    files: Mapping[str, str]


def kill_many(pets: Pets, kills: int, *, of_each: int) -> None:
    """Strike each upgrade so often, if it begins anew after each, then let it come to its end."""
    whole = measure(pets)
    left = blows(kills)
    while left:
        with shop_node(pets.image, "--init") as node:
            for before, after in STEPS:
                step = Step(node, pets.bundles[after], before, after, whole[after])
                for _ in range(min(of_each, len(left))):
                    if not step.strike(left.pop()):
                        break
                step.finish()


def blows(kills: int) -> list[Blow]:
    """The moments are spread evenly, and so are those of each kind; no order is in them."""
    numbers = random.Random(SEED)
    kinds = cycle(("the VM", "the command", "the container", "the command, then a restart"))
    parts = [(number + numbers.random()) / kills for number in range(kills)]
    made = [Blow(kind, part) for part, kind in zip(parts, kinds, strict=False)]
    numbers.shuffle(made)
    return made


def measure(pets: Pets) -> Mapping[str, Whole]:
    """The two steps without a blow, by the version that they lead to."""
    found = {}
    with shop_node(pets.image, "--init") as node:
        for _, after in STEPS:
            with attempt(pets.bundles[after], node.id, "--watch", str(WATCH)) as going:
                assert going.end() == 0, going
                found[after] = Whole(going.lines, going.now(), node.files())
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """An upgrade of a pet, and how it goes when it is not killed."""

    node: ShopNode
    bundle: Path
    before: str
    after: str
    whole: Whole

    def strike(self, blow: Blow) -> bool:
        """The upgrade is killed, and the next start serves. Answers whether it is still to do."""
        node = self.node
        started = node.state()["StartedAt"]
        with attempt(self.bundle, node.id, "--watch", str(WATCH)) as going:
            going.wait_until(blow.part * self.whole.seconds, self.whole.lines)
            assert going.process.poll() is None or self._is_confirmed(going), going
            match blow.of:
                case "the VM":
                    node.run("sh", "-c", VM)
                case "the container":
                    docker("kill", node.id)
                    docker("start", node.id)
                case _:
                    going.process.kill()
            struck = going.now()
            going.end()
        if blow.of == "the command, then a restart":
            docker("restart", "--time", "0", node.id)
        told = f"{blow}, {self.before} to {self.after}, after {struck:.2f} s:\n{going}\n"
        print(told)
        if blow.of == "the command":
            return False
        wait_until(lambda: node.state()["StartedAt"] != started, lambda: told)
        return self._check_start(self._possible(going, struck), told) == self.before

    def finish(self) -> None:
        """The same upgrade again, which nobody kills, leaves what it always does."""
        done = self.node.command("upgrade", self.bundle, "--watch", "0")
        told = f"{done.stderr}{done.stdout}{self.node.logs()}"
        assert done.returncode == 0, told
        assert self.node.version() == self.after, told
        assert status(self.node) == (self.after, self.after, None), told
        assert self.node.files() == self.whole.files, told

    def _check_start(self, permanent: set[str], told: str) -> str:
        """It serves, at the version that is permanent, and nothing half done is left."""
        node = self.node
        wait_until(lambda: serves(node), lambda: told + node.logs())
        found = node.output("cat", f"{MARKS}/permanent")
        assert found in permanent, told
        assert node.version() == found, told
        assert node.run("sh", "-c", f"ls -d {MARKS}/new-*").stdout == "", told
        assert status(node)[:2] == (found, found), told
        return found

    def _is_confirmed(self, going: Attempt) -> bool:
        return going.said(f"imagesmith: {self.after} is permanent") is not None

    def _possible(self, going: Attempt, struck: float) -> set[str]:
        """Which version may be permanent: the new one if it was confirmed, the old one if the blow
        fell before the watch was over."""
        if going.end() == 0 or self._is_confirmed(going):
            return {self.after}
        watching = going.said("watching")
        if watching is None or struck < watching + WATCH:
            return {self.before}
        return {self.before, self.after}


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
