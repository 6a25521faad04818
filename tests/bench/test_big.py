"""The benchmarks' generated release is one that mix assembles and imagesmith takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.big.project import SMALL, Project
from tests.conftest import one_at_a_time

pytestmark = pytest.mark.release

Layers = dict[tuple[str, str], str]


@pytest.fixture
def project(session_folder: Path, tmp_path: Path) -> Project:
    """A project of one's own whose release was built, by a copy of what is compiled once a run."""
    made = session_folder / "big"
    with one_at_a_time(session_folder / "big.lock"):
        if not (made.with_name("big.built")).exists():
            Project.make(made, SMALL).release()
            made.with_name("big.built").touch()
    shutil.copytree(made, tmp_path / "big", symlinks=True)
    return Project(tmp_path / "big")


def _layers(release: Path) -> Layers:
    """The digest of each layer, by group and name, as `imagesmith build` tells them."""
    output = ("--progress", "json", "--output", f"type=oci,dest={release}.tar")
    done = subprocess.run(
        [sys.executable, "-m", "imagesmith", "build", release, *output],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    return {(item["group"], item["layer"]): item["digest"] for item in told if "layer" in item}


def _changed(one: Layers, other: Layers) -> list[str]:
    return sorted({group for (group, name), digest in other.items() if digest != one[group, name]})


def test_a_generated_release_becomes_an_image_and_each_change_ships_what_it_says(
    project: Project,
) -> None:
    first = _layers(project.release_path)
    project.change()
    changed = _layers(project.release())
    project.change()
    project.bump()
    bumped = _layers(project.release())

    named = {group: sum(held == group for held, _ in first) for group, _ in first}
    assert named["third-party"] >= 1
    assert named["own"] > 4, "big is large enough to be cut"
    assert _changed(first, changed) == ["own"]
    assert _changed(changed, bumped) == ["own", "release"]
    assert (project.release_path / f"lib/big-{project.version}").is_dir()


def test_an_umbrella_has_a_release_for_every_service_and_grows(project: Project) -> None:
    before = _extent(project.release_path)
    project.add_services(2)
    services = project.release_services()
    assert [path.name for path in services] == ["svc_01", "svc_02"]
    for path in services:
        assert ("own", path.name) in _layers(path)
    project.grow(2)
    assert _extent(project.release()) == pytest.approx(2 * before, rel=0.1)


def _extent(release: Path) -> int:
    return sum(path.stat().st_size for path in release.rglob("*") if path.is_file())
