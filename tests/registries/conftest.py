"""A registry, an image, and the real command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagesmith.image.image import Image
from tests.oci.images import make
from tests.registries.servers import docker_registry
from tests.registries.token_server import TokenServer, token_server
from tests.trees import make_release

Smith = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[str]:
    """A registry that lets everybody in: its `HOST:PORT`."""
    with docker_registry(tmp_path / "plain") as host:
        yield host


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with token_server(tmp_path / "tokens") as server:
        yield server


@pytest.fixture(scope="session")
def image() -> Image:
    """A small image of two layers."""
    return make("one", "two")


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small release to build an image of."""
    return make_release(tmp_path_factory.mktemp("release") / "shop")


@pytest.fixture
def smith_environment(tmp_path: Path) -> dict[str, str]:
    """That of a user who is logged in nowhere and has no Docker."""
    home = tmp_path / "home"
    home.mkdir()
    ours = {name: text for name, text in os.environ.items() if not name.startswith("IMAGESMITH_")}
    return ours | {
        "HOME": str(home),
        "IMAGESMITH_CACHE_DIR": str(tmp_path / "cache"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
    }


@pytest.fixture
def smith(tmp_path: Path, smith_environment: dict[str, str]) -> Smith:
    """Run `imagesmith ARGUMENT…` with more in its environment."""

    def run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "imagesmith", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env=smith_environment | env,
        )

    return run
