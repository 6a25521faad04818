"""What others say of our layouts and archives: skopeo, umoci, crane (`.ci/tools oracles`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagesmith.image.image import Image
from imagesmith.oci.archive import write_archive_file
from imagesmith.oci.layout import Layout, write_layout
from tests.oci.images import docker_image, make, tagged
from tests.oracles import run

pytestmark = pytest.mark.oracle

IMAGE = make("one", "two")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    write_layout(tmp_path / "layout", IMAGE.blobs(), [tagged(IMAGE, "1")])
    return tmp_path / "layout"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "oci.tar"
    write_archive_file(path, list(IMAGE.blobs()), [tagged(IMAGE, "1")])
    return path


@pytest.fixture
def docker_archive(tmp_path: Path) -> Path:
    path = tmp_path / "docker.tar"
    images = [docker_image(IMAGE, ["shop:1"])]
    write_archive_file(path, list(IMAGE.blobs()), [tagged(IMAGE, "1")], images)
    return path


def check_inspected(document: str, image: Image = IMAGE) -> None:
    found = json.loads(document)
    assert found["Digest"] == image.digest
    assert found["Architecture"] == "amd64"
    assert found["Layers"] == [layer.descriptor.digest for layer in image.layers]
    assert found["Labels"]["maker"] == "Käthe"


def test_skopeo_reads_a_layout(layout: Path) -> None:
    check_inspected(run("skopeo", "inspect", f"oci:{layout}:1"))


def test_skopeo_reads_an_archive(archive: Path) -> None:
    check_inspected(run("skopeo", "inspect", f"oci-archive:{archive}:1"))


def test_skopeo_copies_every_blob_of_a_layout_and_finds_them_whole(
    layout: Path, tmp_path: Path
) -> None:
    run("skopeo", "copy", "--insecure-policy", f"oci:{layout}:1", f"dir:{tmp_path}/copy")
    names = {path.name for path in (tmp_path / "copy").iterdir()} - {"version", "manifest.json"}
    assert {f"sha256:{name}" for name in names} == {
        *(layer.descriptor.digest for layer in IMAGE.layers),
        IMAGE.config_descriptor.digest,
    }


def test_skopeo_reads_the_docker_archive_as_docker_would(docker_archive: Path) -> None:
    config = run("skopeo", "inspect", "--config", f"docker-archive:{docker_archive}")
    assert json.loads(config) == json.loads(IMAGE.config)


def test_skopeo_refuses_a_layout_with_a_damaged_layer(layout: Path, tmp_path: Path) -> None:
    blob = layout / "blobs" / IMAGE.layers[0].descriptor.digest.replace(":", "/")
    blob.write_bytes(blob.read_bytes()[:-1])
    arguments = ("copy", "--insecure-policy", f"oci:{layout}:1", f"dir:{tmp_path}/copy")
    run("skopeo", *arguments, fails=True)


def test_crane_validates_layers_digests_and_diff_ids_of_an_archive(docker_archive: Path) -> None:
    run("crane", "validate", "--tarball", docker_archive)


def test_crane_finds_a_damaged_layer(docker_archive: Path) -> None:
    data = docker_archive.read_bytes()
    with IMAGE.layers[0].open() as file:
        layer = file.read()
    assert data.count(layer) == 1
    docker_archive.write_bytes(data.replace(layer, bytes(len(layer))))
    run("crane", "validate", "--tarball", docker_archive, fails=True)


def test_umoci_unpacks_a_layout(layout: Path, tmp_path: Path) -> None:
    run("umoci", "unpack", "--rootless", "--image", f"{layout}:1", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/app/text").read_text() == "two"
    config = json.loads((tmp_path / "bundle/config.json").read_text())
    assert config["process"]["args"] == ["/bin/tini", "/app/bin/shop", "start"]
    assert config["process"]["cwd"] == "/app"


def test_umoci_lists_the_tags_and_finds_nothing_to_collect_after_a_merge(layout: Path) -> None:
    for text, tag in (("three", "2"), ("four", "1")):
        image = make(text)
        write_layout(layout, image.blobs(), [tagged(image, tag)])
    assert run("umoci", "ls", "--layout", layout).split() == ["2", "1"]
    before = sorted((layout / "blobs/sha256").iterdir())
    run("umoci", "gc", "--layout", layout)
    assert sorted((layout / "blobs/sha256").iterdir()) == before


def test_a_layout_that_skopeo_wrote_takes_our_image_under_the_same_tag(
    layout: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    run("skopeo", "copy", "--insecure-policy", f"oci:{layout}:1", f"oci:{theirs}:latest")
    image = make("ours")
    write_layout(theirs, image.blobs(), [tagged(image, "latest", "docker.io/library/x:latest")])
    check_inspected(run("skopeo", "inspect", f"oci:{theirs}:latest"), image)
    assert len(Layout(theirs).manifests) == 1
