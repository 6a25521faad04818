"""`base: REF` by the real command, with no Docker at hand, and a push beside that base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.registries.conftest import Smith
from tests.registries.oracles import crane

pytestmark = pytest.mark.oracle


def layers(reference: str) -> list[str]:
    return [item["digest"] for item in json.loads(crane("manifest", reference))["layers"]]


@pytest.fixture
def base(smith: Smith, release: Path, plain: str) -> str:
    """An image that can carry the release: the release's own, on a minimal base."""
    reference = f"{plain}/team/base:1"
    done = smith("build", release, "-t", reference, "--push")
    assert done.returncode == 0, done.stderr
    return reference


def recipe(folder: Path, release: Path, base: str) -> Path:
    path = folder / "imagesmith.yml"
    path.write_text(f"version: 1\nname: shop\nrelease: {{path: {release}}}\nbase: {base}\n")
    return path


@pytest.mark.parametrize("engine", ["auto", "embedded"])
def test_a_base_in_a_registry_needs_no_docker_and_is_mounted(
    engine: str, smith: Smith, release: Path, base: str, plain: str, tmp_path: Path
) -> None:
    pinned = f"{base}@{crane('digest', base).strip()}"
    target = f"{plain}/team/shop:1"
    done = smith(
        "build",
        recipe(tmp_path, release, pinned),
        *("--engine", engine, "--push", "-t", target),
        *("--cache-dir", tmp_path / "another"),
    )
    assert done.returncode == 0, done.stderr
    crane("validate", "--remote", target)
    below = layers(base)
    assert layers(target)[: len(below)] == below
    annotations = json.loads(crane("manifest", target))["annotations"]
    assert annotations["org.opencontainers.image.base.name"] == base
    assert annotations["org.opencontainers.image.base.digest"] == pinned.partition("@")[2]
    # All that is new is the configuration; the release's own layers are the base's too.
    assert f"pushed: 0 there, {len(set(layers(target)))} mounted, 1 uploaded" in done.stderr


def test_a_base_that_is_in_no_registry_is_told(
    smith: Smith, release: Path, plain: str, tmp_path: Path
) -> None:
    missing = f"{plain}/nobody/made-this:1"
    done = smith("build", recipe(tmp_path, release, missing), "-o", f"type=oci,dest={tmp_path}/x")
    assert done.returncode == 1
    assert f"imagesmith: base {missing}: there is no such image, or it wants a login" in done.stderr
    assert not (tmp_path / "x").exists()
