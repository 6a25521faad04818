"""The lines that a command keeps open into a container: what goes over them, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from imagesmith.docker.container import Container
from imagesmith.docker.process import VARIABLE, Process
from imagesmith.errors import DockerError, UpgradeError
from imagesmith.upgrade.checks import old_processes
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.node import MAX_ARGUMENT, Node
from imagesmith.upgrade.pet import read_node
from tests.docker import docker, wait_until
from tests.pet.pets import NAME, Pets
from tests.pet.shopnode import ShopNode, shop_node

pytestmark = pytest.mark.container

NOISE = """
for pid <- Process.list(),
    {:group_leader, leader} <- [Process.info(pid, :group_leader)],
    node(leader) != node() do
  IO.write(leader, "imagesmith<AAAA>imagesmith kept<AAAA> " <> String.duplicate("ö", 100_000))
end
"""
"""What an application might print where our answers are printed."""
RELOAD = ":code.unstick_mod(:erl_eval); {:module, _} = :code.load_file(:erl_eval)"
"""A new version of what evaluates us."""


@contextmanager
def line_to(running: ShopNode, idle: float = 60) -> Iterator[Node]:
    with Lines(Container(running.id), idle) as lines:
        yield Node(lines, NAME, "mix")


@pytest.fixture(scope="module")
def running(pets: Pets) -> Iterator[ShopNode]:
    """A node for the tests that leave it as it was."""
    with shop_node(pets.image) as node:
        yield node


def commands_of(process: Process, running: ShopNode) -> list[str]:
    """The processes in the container that another one has begun there."""
    found = running.output(
        *("sh", "-c"), f"grep -lsxzF '{VARIABLE}={process}' /proc/[0-9]*/environ || true"
    )
    return found.split()


def test_questions_share_a_vm_and_none_is_too_long(running: ShopNode) -> None:
    with line_to(running) as node:
        read_node(node)
        begun = commands_of(Process.this(), running)
        assert begun
        many = [f"Elixir.Nowhere{number}.{os.urandom(16).hex()}" for number in range(20_000)]
        assert sum(map(len, many)) > 5 * MAX_ARGUMENT
        assert old_processes(node, many) == []
        assert commands_of(Process.this(), running) == begun


def test_what_an_application_prints_is_no_answer(running: ShopNode) -> None:
    with line_to(running) as node:
        for _ in range(2):
            assert read_node(node).running == "0.1.0"
            running.rpc(NOISE)
        assert read_node(node).running == "0.1.0"


def test_a_question_that_fails_or_is_too_slow_ends_nothing_but_itself(running: ShopNode) -> None:
    with line_to(running) as node:
        with pytest.raises(UpgradeError, match="old failed in the node: error:badarg"):
            node.ask("old", {"modules": [1]})
        docker("pause", running.id)
        try:
            with pytest.raises(DockerError, match="did not answer within"):
                node.ask("state", {}, seconds=0.5)
        finally:
            docker("unpause", running.id)
        assert read_node(node).running == "0.1.0"


def test_a_node_that_ended_is_asked_again_once_it_is_back(pets: Pets) -> None:
    with shop_node(pets.image) as running, line_to(running) as node:
        read_node(node)
        assert node.lines.sh("echo $1; exit 3", "one").text == "one"
        docker("restart", "--time", "0", running.id)
        running.wait_for("0.1.0")
        assert node.lines.sh("echo two >&2; exit 3").said == "two\n"
        assert read_node(node).running == "0.1.0"
        docker("stop", "--time", "0", running.id)
        with pytest.raises(UpgradeError, match=r"the node did not answer.*is not running"):
            read_node(node)
        assert node.lines.sh("true").code != 0


def test_code_that_came_under_a_line_is_not_held_by_it(running: ShopNode) -> None:
    with line_to(running) as node:
        read_node(node)
        running.rpc(RELOAD)
        read_node(node)  # and this was the last question that it took
        assert old_processes(node, ["erl_eval"]) == []
        assert running.rpc("IO.puts(:code.soft_purge(:erl_eval))") == "true"


def test_a_silent_line_ends_by_itself(running: ShopNode) -> None:
    with line_to(running, idle=1) as node:
        read_node(node)
        wait_until(lambda: commands_of(Process.this(), running) == [], running.logs)
        assert read_node(node).running == "0.1.0"


def test_what_a_killed_command_has_open_ends_with_it(pets: Pets) -> None:
    _kill(pets, lambda command: command.kill())


@pytest.mark.parametrize("pets", ["otp25"], indirect=True)
def test_so_does_what_is_open_where_docker_s_command_was_killed_too(pets: Pets) -> None:
    _kill(pets, lambda command: os.killpg(command.pid, signal.SIGKILL))


def _kill(pets: Pets, kill: Callable[[subprocess.Popen[bytes]], None]) -> None:
    bundle = str(pets.bundles["0.2.0"])
    with shop_node(pets.image) as node:
        words = (sys.executable, "-m", "imagesmith", "upgrade", bundle, "--container", node.id)
        with subprocess.Popen(
            [*words, "--watch", "300"], stderr=subprocess.PIPE, start_new_session=True
        ) as command:
            assert command.stderr is not None
            assert any(b"watching" in line for line in command.stderr)
            process = Process.of(command.pid)
            assert commands_of(process, node)
            kill(command)
        wait_until(lambda: commands_of(process, node) == [], node.logs)
