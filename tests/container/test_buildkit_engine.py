"""The BuildKit engine delivers the embedded engine's layers, by the user's own Docker."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagesmith.oci.layout import Layout
from tests.container.conftest import imagesmith
from tests.docker import docker, run, serving
from tests.registry import registry
from tests.shop import Shop, tool

pytestmark = pytest.mark.container
BASE = "imagesmith-test-ended:12"


def _build(shop: Shop, folder: Path, *arguments: str) -> str:
    done = imagesmith("build", shop.web, *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _documents(root: Path) -> tuple[Any, Any]:
    """Manifest and configuration of the one image in a layout."""
    layout = Layout(root)
    manifest = json.loads(layout.document(layout.manifests[0]))
    config = layout.path(manifest["config"]["digest"]).read_bytes()
    return manifest, json.loads(config)


def test_layers_and_what_runs_are_the_embedded_engines(shop: Shop, tmp_path: Path) -> None:
    for engine in ("embedded", "buildkit"):
        _build(shop, tmp_path, "--engine", engine, "-o", f"type=oci,tar=false,dest={engine}")
    ours, our_config = _documents(tmp_path / "embedded")
    theirs, their_config = _documents(tmp_path / "buildkit")
    assert ours["layers"] == theirs["layers"]
    assert ours["annotations"] == theirs["annotations"]
    assert our_config["config"] == their_config["config"]
    assert our_config["rootfs"] == their_config["rootfs"]
    assert our_config["created"] == their_config["created"]


def test_two_builds_have_one_digest(shop: Shop, tmp_path: Path) -> None:
    options = ("--engine", "buildkit", "--load", "-t", "imagesmith-test-stable:1")
    assert _build(shop, tmp_path, *options) == _build(shop, tmp_path, *options)


def test_it_loads_every_tag_and_the_image_runs(shop: Shop, tmp_path: Path) -> None:
    tags = ("-t", "imagesmith-test-bk:1", "-t", "imagesmith-test-bk:latest")
    reference = _build(shop, tmp_path, "--engine", "buildkit", "--load", *tags)
    assert docker("inspect", "-f", "{{.Id}}", "imagesmith-test-bk:latest") == docker(
        "inspect", "-f", "{{.Id}}", reference
    )
    with serving(reference) as running:
        assert running.get("/")["version"] == "0.1.0"


def test_auto_takes_buildkit_neither_for_a_docker_here_nor_for_a_file(
    shop: Shop, tmp_path: Path
) -> None:
    loaded = imagesmith("build", shop.web, "--load", "-t", "imagesmith-test-auto:1", cwd=tmp_path)
    assert "embedded engine: Docker " in loaded.stderr
    written = imagesmith("build", shop.web, "-o", "type=oci,dest=x.tar", cwd=tmp_path)
    assert "embedded engine: a file needs no Docker" in written.stderr


@pytest.fixture
def registry_host(tmp_path: Path) -> Iterator[str]:
    with registry(tmp_path) as host:
        yield host


def test_a_push_puts_the_same_layers_into_a_registry(
    shop: Shop, tmp_path: Path, registry_host: str
) -> None:
    tag = f"{registry_host}/team/shop:1"
    options = ("--engine", "buildkit", "--push", "-t", tag, "--metadata-file", "m.json")
    reference = _build(shop, tmp_path, *options)
    digest = json.loads((tmp_path / "m.json").read_text())["containerimage.digest"]
    assert reference == f"{tag}@{digest}"
    _build(shop, tmp_path, "-o", "type=oci,tar=false,dest=ours")
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    url = f"http://{registry_host}/v2/team/shop/manifests/{digest}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=accept)) as answer:
        pushed = json.loads(answer.read())
    ours = _documents(tmp_path / "ours")[0]
    assert (pushed["layers"], pushed["annotations"]) == (ours["layers"], ours["annotations"])


def test_a_registry_that_does_not_answer_is_told_in_buildkits_words(
    shop: Shop, tmp_path: Path
) -> None:
    options = ("--engine", "buildkit", "--push", "-t", "127.0.0.1:1/shop:1")
    done = imagesmith("build", shop.web, *options, cwd=tmp_path)
    assert done.returncode == 1
    assert "imagesmith: BuildKit failed: " in done.stderr
    assert "connection refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_without_a_registry_in_its_name_is_not_pushed_by_accident(
    shop: Shop, tmp_path: Path
) -> None:
    done = imagesmith("build", shop.web, "--push", cwd=tmp_path)
    assert done.returncode == 2
    assert "-t" in done.stderr
    assert run("image", "inspect", "nothing").returncode != 0


def test_a_build_that_is_ended_ends_buildkit_too(shop: Shop, tmp_path: Path) -> None:
    """Or a push would go on, and be published, after its command was cancelled."""
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nRUN sleep 60\n")
    docker("import", tool("bookworm-rootfs"), BASE)
    (tmp_path / "r.yml").write_text(
        f"version: 1\nrelease: {{path: {shop.web}}}\nbase: {{dockerfile: Dockerfile}}\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "imagesmith", "build", "r.yml", "-o", "type=oci,dest=x.tar"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        assert build.stderr is not None
        for line in build.stderr:
            if "sleep 60" in line:
                break
        children = Path(f"/proc/{build.pid}/task/{build.pid}/children").read_text().split()
        assert children
        build.terminate()
        assert build.wait(timeout=120) == 128 + 15
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
