"""`docker imagesmith`, by the real docker command."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docker import wait_until

pytestmark = pytest.mark.container


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A Docker configuration of its own, with the plugin in it."""
    environment = os.environ | {"DOCKER_CONFIG": str(tmp_path / "docker config")}
    install = [sys.executable, "-m", "imagesmith", "docker-plugin", "install"]
    done = subprocess.run(install, capture_output=True, text=True, check=True, env=environment)
    assert Path(done.stdout.strip()).parent == tmp_path / "docker config/cli-plugins"
    return environment


def docker(
    environment: Mapping[str, str], *words: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_docker_knows_it(environment: Mapping[str, str]) -> None:
    plugins = json.loads(docker(environment, "info", "--format", "{{json .ClientInfo}}").stdout)
    [ours] = [item for item in plugins["Plugins"] if item["Name"] == "imagesmith"]
    assert ours["SchemaVersion"] == "0.1.0"
    assert "imagesmith*" in docker(environment, "help").stdout


def test_help_names_it_as_the_user_calls_it(environment: Mapping[str, str]) -> None:
    assert docker(environment, "imagesmith", "--help").stdout.startswith(
        "Usage: docker imagesmith COMMAND"
    )
    build = docker(environment, "imagesmith", "build", "--help").stdout
    assert build.startswith("Usage: docker imagesmith build [OPTIONS]")
    assert "\n  docker imagesmith build" in build
    assert "\n  imagesmith" not in build


def test_docker_completes_it(environment: Mapping[str, str]) -> None:
    asked = docker(environment, "__complete", "imagesmith", "build", "--engine", "em")
    assert asked.stdout.split() == ["embedded", ":4"]


def test_mistakes_have_their_exit_code(environment: Mapping[str, str]) -> None:
    done = docker(environment, "imagesmith", "biuld", code=2)
    assert "Did you mean build?" in done.stderr


def test_a_context_says_which_engine_is_meant(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    nowhere = f"unix://{tmp_path}/nowhere.sock"
    docker(environment, "context", "create", "nowhere", "--docker", f"host={nowhere}")
    status = ("imagesmith", "status", "-c", "no-such-container")
    here = docker(environment, *status, code=1)
    assert "No such container" in here.stderr
    for way in (("--context", "nowhere"), ("-c", "nowhere"), ("--host", nowhere)):
        there = docker(environment, *way, *status, code=1)
        assert "nowhere.sock" in there.stderr


def test_it_ends_when_docker_is_to_end(environment: Mapping[str, str], tmp_path: Path) -> None:
    """Docker 25 and later closes a socket and sends no signal. The engine keeps it waiting."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "engine"))
        engine.listen()
        silent = ("--host", f"unix://{tmp_path}/engine")
        status = ["docker", *silent, "imagesmith", "status", "-c", "shop"]
        with subprocess.Popen(
            status, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
        ) as it:
            engine.settimeout(30)
            asked, _ = engine.accept()
            [plugin] = _plugins(tmp_path)
            it.send_signal(signal.SIGTERM)
            wait_until(
                lambda: plugin not in _plugins(tmp_path), lambda: "it goes on without Docker"
            )
            assert it.wait(20) != 0
            asked.close()


def _plugins(folder: Path) -> list[int]:
    """The plugins that run there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"imagesmith.cli.plugin" in words and (process / "cwd").resolve() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_it_is_taken_away(environment: Mapping[str, str]) -> None:
    docker(environment, "imagesmith", "docker-plugin", "uninstall")
    assert "imagesmith" not in docker(environment, "help").stdout


def test_an_installation_that_is_gone_is_said(environment: Mapping[str, str]) -> None:
    plugin = Path(environment["DOCKER_CONFIG"]) / "cli-plugins/docker-imagesmith"
    plugin.write_text(plugin.read_text().replace(sys.executable, "/no/such/python"))
    said = docker(environment, "imagesmith", "build", code=1).stderr
    assert "/no/such/python is gone" in said
    assert "docker-plugin install" in said
