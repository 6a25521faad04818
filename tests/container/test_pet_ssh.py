"""A pet on another host: by `DOCKER_HOST=ssh://…`, and by a context that names it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.pet.pets import Pets
from tests.pet.shopnode import shop_node
from tests.pet.ssh import ssh_host

pytestmark = pytest.mark.container


def imagesmith(environment: Mapping[str, str], *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "imagesmith", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("pets", ["otp25"], indirect=True)
def test_a_pet_is_upgraded_and_taken_back_on_another_host(pets: Pets, tmp_path: Path) -> None:
    with ssh_host(tmp_path) as (url, way), shop_node(pets.image) as node:
        here = {key: value for key, value in os.environ.items() if key != "DOCKER_HOST"}
        here.update(way)
        there = here | {"DOCKER_HOST": url}
        imagesmith(there, "upgrade", pets.bundles["0.2.0"], "--watch", "0", "-c", node.id)
        assert node.version() == "0.2.0"

        context = here | {"DOCKER_CONFIG": str(tmp_path / "docker")}
        create = ("docker", "context", "create", "far", "--docker", f"host={url}")
        subprocess.run(create, check=True, env=context, capture_output=True)
        far = context | {"DOCKER_CONTEXT": "far"}
        assert "0.2.0" in imagesmith(far, "status", "-c", node.id)
        imagesmith(far, "rollback", "-c", node.id)
        assert node.version() == "0.1.0"


def test_a_host_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with ssh_host(tmp_path) as (url, way):
        pass
    done = subprocess.run(
        [sys.executable, "-m", "imagesmith", "status", "-c", "shop"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **way, "DOCKER_HOST": url},
    )
    assert done.returncode == 1
    assert "shop" in done.stderr
    assert "refused" in done.stderr
