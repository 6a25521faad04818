"""Containers for tests, by the docker command: what a user types is what is tested."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

LABEL = "imagesmith-test"


def docker(*arguments: str, check: bool = True, **options: Any) -> str:
    """The stdout of a docker command."""
    return run(*arguments, check=check, **options).stdout


def run(*arguments: str, check: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
    """A docker command, with what it said."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=300, **options
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stderr}")
    return done


@dataclass(frozen=True, slots=True)
class Container:
    """A running container."""

    id: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return run("exec", self.id, *command)

    def output(self, *command: str) -> str:
        return docker("exec", self.id, *command).strip()

    def logs(self) -> str:
        done = run("logs", self.id)
        return done.stdout + done.stderr

    def port(self, port: int) -> int:
        """The host's port that leads to the container's."""
        return int(docker("port", self.id, str(port)).splitlines()[0].rpartition(":")[2])

    def get(self, path: str) -> Any:
        """The JSON answer of the shop's HTTP server."""
        url = f"http://127.0.0.1:{self.port(4000)}{path}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.loads(answer.read())

    def state(self) -> Any:
        return json.loads(docker("inspect", self.id))[0]["State"]


@contextmanager
def container(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """A container of the image, removed at the end with its volumes."""
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--label", LABEL, *options, image, *command)
    try:
        yield Container(name)
    finally:
        run("rm", "--force", "--volumes", name)


HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")


@contextmanager
def serving(image: str, *options: str) -> Iterator[Container]:
    """A hardened container of a shop with a web front, once it answers."""
    with container(image, *HARDENED, "--publish", "127.0.0.1::4000", *options) as running:
        wait_until(lambda: _answers(running), lambda: running.logs())
        yield running


def wait_until(true: Callable[[], bool], tell: Callable[[], str], seconds: float = 120) -> None:
    """A busy machine is no defect: what is waited for may take its time."""
    deadline = time.monotonic() + seconds
    pause = 0.05
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s:\n{tell()}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)  # to ask takes processor time from what is waited for


def _answers(running: Container) -> bool:
    try:
        return bool(running.get("/")["app"] == "shop")
    except (OSError, urllib.error.URLError, ValueError, AssertionError, IndexError):
        return False
