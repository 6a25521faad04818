"""What `imagesmith upgrade` refuses, and that a refusal changes nothing."""

from __future__ import annotations

import json
import os
import socket

import pytest

from tests.docker import HARDENED, container, docker, wait_until
from tests.pet.pets import NAME, Pets, imagesmith
from tests.pet.shopnode import VOLUME, shop_node

pytestmark = pytest.mark.container

# A process in the middle of a function of Catalog.Csv, for as long as it is suspended.
READER = """
spawn(fn ->
  text = "heading\\n" <> String.duplicate("a,b,1\\n", 2_000_000)
  reader = spawn(Catalog.Csv, :items, [text])
  Process.sleep(80)
  :erlang.suspend_process(reader)
  Process.register(reader, :slow_reader)
  Process.sleep(:infinity)
end)
"""
IS_IN_CSV = """
case Process.whereis(:slow_reader) do
  nil -> IO.puts("none")
  pid ->
    {_, frames} = Process.info(pid, :current_stacktrace)
    IO.puts(if Enum.any?(frames, &(elem(&1, 0) == Catalog.Csv)), do: "inside", else: "outside")
end
"""


def test_a_process_in_old_code_is_named_and_nothing_is_changed(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        node.rpc(READER)
        wait_until(lambda: node.rpc(IS_IN_CSV) == "inside", node.logs)
        node.do("rollback")
        said = node.refuse("upgrade", pets.bundles["0.2.0"], "--drain", "0.5")
        assert "(slow_reader) runs old code of Catalog.Csv" in said
        assert "nothing was changed" in said
        assert "--drain" in said
        node.rpc("Process.exit(Process.whereis(:slow_reader), :kill)")
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        assert node.version() == "0.2.0"


def test_a_rollback_that_old_code_refuses_can_be_forced_by_a_restart(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        node.rpc(READER)
        wait_until(lambda: node.rpc(IS_IN_CSV) == "inside", node.logs)
        said = node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        assert "1 processes still run 0.1.0's code" in said
        said = node.refuse("rollback", "--drain", "0")
        assert "0.1.0 cannot be put back without a restart" in said
        assert "It runs 0.2.0, which is permanent" in said
        said = node.do("rollback", "--drain", "0", "--force")
        assert "by a restart: its state and connections are gone" in said
        node.wait_for("0.1.0")


def test_a_bundle_from_another_version_is_refused(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        said = node.refuse("upgrade", pets.bundles["0.3.0"])
        assert "it runs 0.1.0, and the bundle leads from 0.2.0 to 0.3.0" in said


def test_a_second_upgrade_waits_for_the_first_to_be_confirmed(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0", "--no-confirm")
        said = node.refuse("upgrade", pets.bundles["0.3.0"])
        assert "0.2.0 is installed and not confirmed" in said
        node.do("confirm")
        node.do("upgrade", pets.bundles["0.3.0"], "--watch", "0")
        assert node.version() == "0.3.0"


def test_a_restart_policy_that_would_leave_it_down_is_refused(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        docker("update", "--restart", "no", node.id)
        said = node.refuse("upgrade", pets.bundles["0.2.0"])
        assert "its restart policy is `no`" in said
        assert f"docker update --restart unless-stopped {node.id}" in said


def test_a_held_lock_is_refused_and_that_of_a_dead_process_is_taken_over(pets: Pets) -> None:
    with shop_node(pets.image) as node:

        def hold(**owner: object) -> None:
            text = json.dumps({"who": "ann", "time": "2026-01-01T00:00:00Z", **owner})
            script = f"mkdir -p {VOLUME}/.imagesmith/lock && cat >{VOLUME}/.imagesmith/lock/owner"
            docker("exec", "-i", node.id, "sh", "-c", script, input=text)

        hold(host="another.example", pid=1, started="1")
        said = node.refuse("upgrade", pets.bundles["0.2.0"])
        assert "an upgrade by ann on another.example (process 1) has held the volume" in said
        # A process of this machine by that number, but not the one that took the lock.
        hold(host=socket.gethostname(), pid=os.getpid(), started="1")
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        assert node.version() == "0.2.0"
        hold(host=socket.gethostname(), pid=os.getpid(), started="1")
        said = node.do("upgrade", pets.bundles["0.2.0"])
        assert "0.2.0 is permanent already, by a command that was killed" in said
        status = json.loads(imagesmith("status", "--container", node.id, "--json").stdout)[0]
        assert status["lock"] is None
        events = json.loads(imagesmith("history", "--container", node.id, "--json").stdout)
        assert [event["result"] for event in events] == ["confirmed"]


def test_without_a_volume_it_is_not_upgradable_and_says_so(pets: Pets) -> None:
    options = (*HARDENED, "--restart", "unless-stopped", "--publish", "127.0.0.1::4000")
    with container(pets.image, *options) as node:
        wait_until(lambda: node.run(f"bin/{NAME}", "pid").returncode == 0, node.logs)
        done = imagesmith("upgrade", pets.bundles["0.2.0"], "--container", node.id)
        assert done.returncode == 1
        assert f"no volume is mounted at {VOLUME}" in done.stderr
        status = json.loads(imagesmith("status", "--container", node.id, "--json").stdout)[0]
        assert not status["upgradable"]
        assert status["because"] == f"no volume is mounted at {VOLUME}"


def test_what_is_no_pet_or_no_container_is_named(pets: Pets) -> None:
    done = imagesmith("upgrade", pets.bundles["0.2.0"], "--container", "no-such-container")
    assert done.returncode == 1
    assert "no-such-container: " in done.stderr
    done = imagesmith("upgrade", pets.bundles["0.2.0"])
    assert done.returncode == 2
    assert "which container is meant?" in done.stderr
