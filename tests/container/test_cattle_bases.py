"""What the base adds, and releases on other bases than the minimal one."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.container.conftest import Images, imagesmith
from tests.docker import docker, serving
from tests.shop import Shop, tool

pytestmark = pytest.mark.container

MOST_BYTES_OF_BASE = 6_000_000
RECIPE = """\
version: 1
name: {name}
release: {{path: {release}}}
base: {base}
"""


def _build(folder: Path, name: str, release: Path, base: str, *arguments: str) -> tuple[str, str]:
    """The last line of stdout, and stderr."""
    (folder / "recipe.yml").write_text(RECIPE.format(name=name, release=release, base=base))
    done = imagesmith("build", "recipe.yml", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_the_minimal_base_adds_at_most_6_mb(images: Images, tmp_path: Path) -> None:
    shop = images.shop
    output = ("--progress", "json", "--output", "type=oci,tar=false,dest=web.oci")
    _, told = _build(tmp_path, "web", shop.web, shop.base, *output)
    layers = [json.loads(line) for line in told.splitlines()]
    sizes = [item["bytes"] for item in layers if item.get("group") == "base"]
    assert len(sizes) == 2
    assert sum(sizes) <= MOST_BYTES_OF_BASE


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Debian 12 as an OCI layout, made by Docker of mmdebstrap's tar."""
    folder = tmp_path_factory.mktemp("debian")
    name = "imagesmith-test-debian:12"
    docker("import", tool("bookworm-rootfs"), name)
    docker("save", "--output", str(folder / "debian.tar"), name)
    with tarfile.open(folder / "debian.tar") as archive:
        archive.extractall(folder / "debian.oci", filter="data")
    return folder / "debian.oci"


def test_a_release_runs_on_a_debian_base_from_a_layout(
    shop: Shop, debian: Path, tmp_path: Path
) -> None:
    image, _ = _build(tmp_path, "shop-on-debian", shop.web, f"oci:{debian}", "--load")
    with serving(image) as running:
        assert running.get("/")["version"] == "0.1.0"
        assert "bookworm" in running.output("cat", "/etc/os-release")
