"""The action on machines of its own, beside a real registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.action.runner import CacheService, Done, Job
from tests.conftest import one_at_a_time
from tests.registry import registry
from tests.shop import REPO
from tests.trees import make_release

Machine = Callable[[], Job]


@pytest.fixture(scope="session")
def installed(session_folder: Path) -> tuple[Path, Done]:
    """A RUNNER_TEMP in which the action has installed imagesmith; and how that went."""
    return _install(session_folder, "action")


@pytest.fixture(scope="session")
def installed_to_compare(session_folder: Path) -> tuple[Path, Done]:
    """The same, with what a comparison needs."""
    return _install(session_folder, "action-compare", compare="true")


def _install(folder: Path, name: str, **inputs: str) -> tuple[Path, Done]:
    temp, workspace = folder / f"{name}-temp", folder / f"{name}-workspace"
    with one_at_a_time(folder / f"{name}.lock"):
        workspace.mkdir(exist_ok=True)
        job = Job(REPO, workspace, temp, CacheService(folder), dict(os.environ))
        done = job.run(cache="false", context="no-such-folder", **inputs)
    return temp, done


@pytest.fixture
def service(tmp_path: Path) -> CacheService:
    return CacheService(tmp_path / "actions-cache")


@pytest.fixture
def machine(tmp_path: Path, installed: tuple[Path, Done], service: CacheService) -> Machine:
    """A machine that has run nothing yet, with the same checkout; no Docker answers there."""
    return _machine(tmp_path, installed[0], service)


@pytest.fixture
def machine_to_compare(
    tmp_path: Path, installed_to_compare: tuple[Path, Done], service: CacheService
) -> Machine:
    """The same, for a step that compares."""
    return _machine(tmp_path, installed_to_compare[0], service)


def _machine(tmp_path: Path, installed: Path, service: CacheService) -> Machine:
    count = iter(range(100))
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def start() -> Job:
        temp = tmp_path / f"machine-{next(count)}"
        (temp / "imagesmith").mkdir(parents=True)
        # Installing takes its time, and is tested by itself.
        (temp / "imagesmith/venv").symlink_to(installed / "imagesmith/venv")
        ours = {name: text for name, text in os.environ.items() if not name.startswith("IMAGESM")}
        environment = ours | {
            "HOME": str(temp / "home"),
            "DOCKER_CONFIG": str(temp / "home/.docker"),
            "DOCKER_HOST": f"unix://{temp}/no.sock",
        }
        return Job(REPO, workspace, temp, service, environment)

    return start


@pytest.fixture
def workspace(machine: Machine, tmp_path: Path) -> Path:
    """The checkout, with a release that a step before has built."""
    folder = tmp_path / "workspace"
    make_release(folder / "_build/prod/rel/shop")
    return folder


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    with registry(tmp_path / "registry") as address:
        yield address
