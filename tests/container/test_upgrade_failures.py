"""Upgrades that go wrong half-way: each ends at a version that serves, and says which."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker import wait_until
from tests.pet.attempt import attempt
from tests.pet.pets import NAME, Pets, imagesmith
from tests.pet.shopnode import VOLUME, shop_node

pytestmark = pytest.mark.container

SECRET = "a-greeting-that-nobody-else-may-read"
LATE_READER = """
text = "heading" <> "\\n" <> String.duplicate("a,b,1" <> "\\n", 2_000_000);
asked = self();
spawn(fn ->
reader = spawn(Catalog.Csv, :items, [text]);
Process.sleep(80);
:erlang.suspend_process(reader);
send(asked, :suspended);
Process.sleep(:infinity)
end);
receive do: (:suspended -> :ok);
:code.purge(Catalog.Csv);
{:module, _} = :code.load_file(Catalog.Csv)
"""


def recipe(folder: Path, pets: Pets, text: str) -> Path:
    file = folder / "imagesmith.yml"
    file.write_text(f"version: 1\nrelease: {{path: {pets.releases['0.2.0']}}}\n{text}")
    return file


def test_what_is_not_confirmed_is_gone_after_a_restart_and_can_be_applied_again(
    pets: Pets,
) -> None:
    with shop_node(pets.image, "--env", f"GREETING={SECRET}") as node:
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0", "--no-confirm")
        assert node.get("/")["greeting"] == SECRET
        subprocess.run(["docker", "restart", node.id], check=True, capture_output=True)
        node.wait_for("0.1.0")
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        subprocess.run(["docker", "restart", node.id], check=True, capture_output=True)
        node.wait_for("0.2.0")
        assert node.get("/")["greeting"] == SECRET
        assert node.files_with(SECRET) == []


def test_a_failing_probe_takes_the_upgrade_back(pets: Pets, tmp_path: Path) -> None:
    probed = recipe(tmp_path, pets, "probe: {http: /broken, port: 4000}\n")
    with shop_node(pets.image) as node:
        node.get("/count")
        before = node.snapshot()
        done = node.command("upgrade", pets.bundles["0.2.0"], "--recipe", probed, "--watch", "2")
        assert done.returncode == 1
        assert "0.2.0 was installed and taken back: port 4000: HTTP/1.1 500" in done.stderr
        assert "It runs 0.1.0, which is permanent" in done.stderr
        assert node.get("/") == {**node.get("/"), "version": "0.1.0", "count": 1}
        assert node.snapshot().environment == before.environment
        event = json.loads(imagesmith("history", "--container", node.id, "--json").stdout)[-1]
        assert event["result"] == "rolled back"


def test_a_code_change_that_fails_ends_at_the_permanent_version(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        node.rpc(":sys.replace_state(Core.Counter, fn _ -> :no_number end)")
        done = node.command("upgrade", pets.bundles["0.2.0"])
        assert done.returncode == 1
        assert "the VM ended and was restarted, without its state" in done.stderr
        assert "code_change_failed" in done.stderr
        assert "It runs 0.1.0, which is permanent" in done.stderr
        node.wait_for("0.1.0")
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        assert node.version() == "0.2.0"


def test_an_upgrade_whose_command_was_killed_is_finished_by_the_next(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        command = (sys.executable, "-m", "imagesmith", "upgrade", str(pets.bundles["0.2.0"]))
        with subprocess.Popen(
            [*command, "--container", node.id, "--watch", "300"], stderr=subprocess.PIPE
        ) as killed:
            assert killed.stderr is not None
            assert any(b"watching" in line for line in killed.stderr)
            killed.kill()
        said = node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        assert "installed already, and not confirmed" in said
        status = json.loads(imagesmith("status", "--container", node.id, "--json").stdout)[0]
        assert (status["current"], status["permanent"], status["lock"]) == ("0.2.0", "0.2.0", None)


def test_what_a_killed_command_has_begun_ends_before_the_next_one_goes_on(
    pets: Pets, tmp_path: Path
) -> None:
    ran, go = f"{VOLUME}/ran", f"{VOLUME}/go"
    script = f"echo begun >>{ran}; until [ -e {go} ]; do sleep 0.1; done; echo ended >>{ran}"
    hook = json.dumps(f"sh -c '{script}'")
    hooked = recipe(tmp_path, pets, f"pet: {{before_upgrade: [{hook}]}}\n")
    bundle = pets.bundles["0.2.0"]
    with shop_node(pets.image) as node:
        with attempt(bundle, node.id, "--recipe", hooked) as killed:
            wait_until(lambda: node.run("cat", ran).stdout == "begun\n", lambda: str(killed))
            killed.process.kill()
        with attempt(bundle, node.id, "--watch", "0") as going:
            words = "waiting for what a killed command"
            wait_until(lambda: going.said(words) is not None, lambda: str(going))
            node.output("touch", go)
            assert going.end() == 0, going
        assert node.version() == "0.2.0"
        assert node.output("cat", ran) == "begun\nended"
        assert f"{ran} was run" in node.command("rollback").stderr


def test_a_rollback_across_a_hook_wants_force(pets: Pets, tmp_path: Path) -> None:
    hooked = recipe(tmp_path, pets, f"pet: {{before_upgrade: [bin/{NAME} eval 'IO.puts(1)']}}\n")
    with shop_node(pets.image) as node:
        node.do("upgrade", pets.bundles["0.2.0"], "--recipe", hooked, "--watch", "0")
        said = node.refuse("rollback")
        assert f"on the way to 0.2.0 bin/{NAME} eval IO.puts(1) was run" in said
        node.do("rollback", "--force")
        assert node.version() == "0.1.0"


def test_hooks_that_follow_run_once_and_again_only_if_they_were_cut_short(
    pets: Pets, tmp_path: Path
) -> None:
    ran, go = f"{VOLUME}/ran", f"{VOLUME}/go"
    script = f"echo $RELEASE_VSN >>{ran}; until [ -e {go} ]; do sleep 0.1; done"
    hook = json.dumps(f"sh -c '{script}'")
    hooked = recipe(tmp_path, pets, f"pet: {{after_upgrade: [{hook}]}}\n")
    bundle = pets.bundles["0.2.0"]
    options = ("--recipe", hooked, "--watch", "0")
    with shop_node(pets.image) as node:
        with attempt(bundle, node.id, *options) as killed:
            wait_until(lambda: node.run("cat", ran).stdout == "0.2.0\n", lambda: str(killed))
            killed.process.kill()
        status = json.loads(imagesmith("status", "--container", node.id, "--json").stdout)[0]
        assert status["permanent"] == "0.2.0"
        node.output("touch", go)
        node.do("upgrade", bundle, *options)
        assert node.output("cat", ran) == "0.2.0\n0.2.0"
        node.do("upgrade", bundle, *options)
        assert node.output("cat", ran) == "0.2.0\n0.2.0"
        assert f"{ran}" in node.command("rollback").stderr


def test_a_hook_that_fails_stops_the_upgrade_before_it_is_installed(
    pets: Pets, tmp_path: Path
) -> None:
    hooked = recipe(tmp_path, pets, "pet: {before_upgrade: [sh -c 'echo no table; exit 3']}\n")
    with shop_node(pets.image) as node:
        said = node.refuse("upgrade", pets.bundles["0.2.0"], "--recipe", hooked)
        assert "failed with exit code 3" in said
        assert "no table" in said
        assert "It runs 0.1.0, which is permanent" in said


def test_what_release_handler_refuses_leaves_volume_and_environment_as_they_were(
    pets: Pets, tmp_path: Path
) -> None:
    # Old code comes up between our own check and the installation, as the hook sees to.
    reader = "".join(line.strip() + " " for line in LATE_READER.splitlines())
    words = json.dumps(f"bin/{NAME} rpc '{reader}'")
    hooked = recipe(tmp_path, pets, f"pet: {{before_upgrade: [{words}]}}\n")
    with shop_node(pets.image) as node:
        before = node.snapshot()
        done = node.command("upgrade", pets.bundles["0.2.0"], "--recipe", hooked)
        assert done.returncode == 1
        assert "release_handler refused 0.2.0: {old_processes,'Elixir.Catalog.Csv'}" in done.stderr
        after = node.snapshot()
        assert (after.volume, after.environment) == (before.volume, before.environment)
        assert node.rpc("IO.puts(Application.spec(:catalog, :vsn))") == "0.1.0"


def test_a_group_stops_at_the_first_that_fails_and_its_hooks_run_once(
    pets: Pets, tmp_path: Path
) -> None:
    mark = f"sh -c 'echo $RELEASE_VSN >>{VOLUME}/ran'"
    hooked = recipe(tmp_path, pets, f"pet: {{before_upgrade: [{json.dumps(mark)}]}}\n")
    with (
        shop_node(pets.image) as first,
        shop_node(pets.image) as bad,
        shop_node(pets.image) as last,
    ):
        bad.rpc(":sys.replace_state(Core.Counter, fn _ -> :no_number end)")
        names = [word for node in (first, bad, last) for word in ("--container", node.id)]
        done = imagesmith(
            "upgrade", pets.bundles["0.2.0"], "--recipe", hooked, "--watch", "0", *names
        )
        assert done.returncode == 1
        assert f"upgraded before it: {first.id}; not tried: {last.id}" in done.stderr
        for node in (first, bad, last):
            wait_until(lambda node=node: node.run("true").returncode == 0, node.logs)  # type: ignore[misc]
        assert first.version() == "0.2.0"
        assert last.version() == "0.1.0"
        assert first.output("cat", f"{VOLUME}/ran") == "0.2.0"
        assert bad.run("cat", f"{VOLUME}/ran").returncode != 0
