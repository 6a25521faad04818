"""A release of relx as a pet: the echo, from a fresh volume and again from the same."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import imagesmith
from tests.docker import HARDENED, Container, container, docker, wait_until
from tests.echo import build_echo, build_next_echo
from tests.pet.shopnode import VOLUME, volume

pytestmark = pytest.mark.container

RECIPE = """\
version: 1
name: {name}
release: {{path: {path}}}
ports: [4000]
env: {{GREETING: from the recipe}}
"""
RELEASES = (
    '[{N, V, S, lists:member("echo-0.1.0", L)} '
    "|| {N, V, L, S} <- release_handler:which_releases()]."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("echo")


@pytest.fixture(scope="module")
def echo(folder: Path) -> str:
    release = build_echo("--work", str(folder / "work"))
    return built("echo.yml", release, folder, "--load")


@pytest.fixture(scope="module")
def bundle(echo: str, folder: Path) -> Path:
    """From 0.1.0 to 0.2.0, by generated appups."""
    release = build_next_echo(folder / "next")
    old = folder / "work/_build/default/rel/echo"
    built("next.yml", release, folder, "--upgrade-from", str(old), "--bundle", "up.tar")
    return folder / "up.tar"


def built(recipe: str, release: Path, folder: Path, *options: str) -> str:
    name = f"echo-pet-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    (folder / recipe).write_text(RECIPE.format(name=name, path=release))
    if "--load" not in options:
        options = ("--output", "type=oci,dest=next.tar", *options)
    done = imagesmith("build", recipe, "--mode", "pet", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def get(running: Container) -> Any:
    return ask(running, "/")


def answers(running: Container) -> bool:
    try:
        return bool(get(running)["app"] == "echo")
    except (OSError, ValueError, AssertionError, IndexError):
        return False


def ask(running: Container, path: str) -> Any:
    url = f"http://127.0.0.1:{running.port(4000)}{path}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


@contextmanager
def serving(image: str, *options: str) -> Iterator[Container]:
    with container(image, *HARDENED, "--publish", "127.0.0.1::4000", *options) as running:
        wait_until(lambda: answers(running), running.logs)
        yield running


def test_it_runs_from_its_volume_and_again_after_a_restart(echo: str) -> None:
    with volume() as mounted:
        mount = ("--mount", f"type=volume,source={mounted},target={VOLUME}")
        with serving(echo, *mount) as running:
            files = running.output("sh", "-c", f"cd {VOLUME}; find . | sort")
            for _ in range(2):
                assert get(running)["greeting"] == "from the recipe"
                assert running.output("bin/echo", "ping") == "pong"
                assert running.output("bin/echo", "pid") == "1"
                assert running.output("bin/echo", "eval", "code:root_dir().") == f'"{VOLUME}"'
                assert running.output("bin/echo", "eval", "code:priv_dir(echo).") == (
                    f'"{VOLUME}/lib/echo-0.1.0/priv"'
                )
                nodetool = ("exec", "--env", "USE_NODETOOL=1", running.id, "bin/echo", "ping")
                assert docker(*nodetool).strip() == "pong"
                known = running.output("bin/echo", "eval", RELEASES).replace(" ", "")
                assert known == '[{"echo","0.1.0",permanent,true}]'
                docker("restart", "--time", "10", running.id)
                wait_until(lambda: answers(running), running.logs)
            assert running.output("sh", "-c", f"cd {VOLUME}; find . | sort") == files
            assert "imagesmith:" not in running.logs()
            held = running.output("sh", "-c", f"grep -rl echo_cookie {VOLUME} || echo nothing")
            assert held == "nothing"


def test_the_environment_is_filled_in_anew_at_each_start_from_the_volume(echo: str) -> None:
    with volume() as mounted:
        mount = ("--mount", f"type=volume,source={mounted},target={VOLUME}")
        for greeting in ("one", "two"):
            node = ("--env", f"GREETING={greeting}", "--env", f"ECHO_NODE={greeting}@127.0.0.1")
            with serving(echo, *mount, *node) as running:
                said = get(running)
                assert (said["greeting"], said["node"]) == (greeting, f"{greeting}@127.0.0.1")
                found = running.output(
                    "find", VOLUME, "-name", "sys.config", "-o", "-name", "vm.args"
                )
                assert found == ""


def test_without_a_volume_it_runs_from_the_image(echo: str) -> None:
    with serving(echo) as running:
        assert running.output("bin/echo", "eval", "code:root_dir().") == '"/app"'
        assert "no volume is mounted at /upgrades" in running.logs()


def test_generated_appups_lead_up_and_back(echo: str, bundle: Path, folder: Path) -> None:
    """The counter's state is another in 0.2.0, and its supervisor has a child more."""
    with volume() as mounted:
        mount = ("--mount", f"type=volume,source={mounted},target={VOLUME}")
        with serving(echo, *mount, "--restart", "unless-stopped") as running:
            sup = running.output("bin/echo", "eval", "whereis(echo_sup).")
            for number in range(3):
                ask(running, f"/again/{number}")
            for _ in range(2):
                on_it = ("--container", running.id)
                done = imagesmith("upgrade", bundle, "--watch", "0", *on_it, cwd=folder)
                assert done.returncode == 0, done.stderr
                said = get(running)
                assert (said["version"], said["lines"]) == ("0.2.0", "3")
                assert ask(running, "/priv")["greeting"].endswith("(new)")
                assert children(running) == ["counter", "listener", "tally"]
                state = running.output("bin/echo", "eval", "sys:get_state(echo_counter).")
                assert state.replace(" ", "") == "{counter,3}"
                done = imagesmith("rollback", *on_it, cwd=folder)
                assert done.returncode == 0, done.stderr
                said = get(running)
                assert (said["version"], said["lines"]) == ("0.1.0", "3")
                assert children(running) == ["counter", "listener"]
                assert running.output("bin/echo", "eval", "whereis(echo_tally).") == "undefined"
            assert running.output("bin/echo", "eval", "whereis(echo_sup).") == sup


def children(running: Container) -> list[str]:
    names = "lists:sort([Id || {Id, _, _, _} <- supervisor:which_children(echo_sup)])."
    found: list[str] = re.findall(r"\w+", running.output("bin/echo", "eval", names))
    return found
