"""What has to hold with either image store of Docker: `make test` runs this file with both."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import IO

import pytest

from imagesmith.docker.api import LocalDocker
from imagesmith.docker.client import Docker, local_endpoint
from imagesmith.errors import DockerError
from tests.container.conftest import imagesmith
from tests.docker import docker, serving
from tests.shop import Shop, tool

pytestmark = pytest.mark.container

DEBIAN = "imagesmith-test-stores-debian:12"


@pytest.fixture(scope="module")
def has_containerd_store() -> bool:
    return "io.containerd.snapshotter.v1" in docker("info", "--format", "{{json .DriverStatus}}")


@pytest.mark.parametrize("engine", ["auto", "buildkit", "embedded"])
def test_every_engine_loads_an_image_that_runs(shop: Shop, tmp_path: Path, engine: str) -> None:
    tag = f"imagesmith-test-stores-{engine}:1"
    done = imagesmith("build", shop.web, "--engine", engine, "--load", "-t", tag, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with serving(done.stdout.strip()) as running:
        assert running.get("/")["version"] == "0.1.0"


def test_the_layers_that_docker_has_are_ours(shop: Shop, tmp_path: Path) -> None:
    options = ("--load", "-t", "imagesmith-test-stores:2", "--progress", "json")
    done = imagesmith("build", shop.web, *options, cwd=tmp_path)
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    ours = [line["diff_id"] for line in told if "diff_id" in line]
    found = json.loads(docker("image", "inspect", done.stdout.strip()))[0]
    assert found["RootFS"]["Layers"] == ours


def test_an_archive_without_one_of_its_layers_is_never_said_to_be_loaded(
    shop: Shop, tmp_path: Path
) -> None:
    release = shutil.copytree(shop.web, tmp_path / "shop_web", symlinks=True)
    (release / "new").write_text(str(tmp_path))  # or Docker may have the layer from another test
    options = ("-t", "imagesmith-test-stores-cut:1", "-o", "type=docker,dest=whole.tar")
    assert imagesmith("build", release, *options, cwd=tmp_path).returncode == 0
    with tarfile.open(tmp_path / "whole.tar") as whole, tarfile.open(tmp_path / "cut", "w") as cut:
        list_of_images = whole.extractfile("manifest.json")
        assert list_of_images
        missing = json.load(list_of_images)[0]["Layers"][-1]
        for member in whole.getmembers():
            if member.name != missing:
                cut.addfile(member, whole.extractfile(member))
    archive = (tmp_path / "cut").read_bytes()

    def write(to: IO[bytes]) -> None:
        to.write(archive)

    for hand in (Docker(), LocalDocker(local_endpoint("this test"))):
        with pytest.raises(DockerError, match=r"docker load failed: .*(not found|no such file)"):
            hand.load(write)


def test_a_base_that_only_docker_has_carries_a_release(shop: Shop, tmp_path: Path) -> None:
    docker("import", tool("bookworm-rootfs"), DEBIAN)
    (tmp_path / "r.yml").write_text(
        f"version: 1\nname: imagesmith-test-stores-base\nrelease: {{path: {shop.web}}}\n"
        f"base: {DEBIAN}\n"
    )
    done = imagesmith("build", "r.yml", "--load", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with serving(done.stdout.strip()) as running:
        assert "bookworm" in running.output("cat", "/etc/os-release")


def test_a_store_that_would_write_layers_anew_pushes_nothing(
    shop: Shop, tmp_path: Path, has_containerd_store: bool
) -> None:
    options = ("--engine", "buildkit", "--push", "-t", "127.0.0.1:1/shop:1")
    done = imagesmith("build", shop.web, *options, cwd=tmp_path)
    assert done.returncode == 1
    words = "connection refused" if has_containerd_store else "would write the layers anew"
    assert words in done.stderr
