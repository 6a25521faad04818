from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagesmith.base.base import Base
from imagesmith.base.layout import layout_base
from imagesmith.errors import BaseError, OutputError
from imagesmith.image.image import Image
from imagesmith.oci.layout import CONTAINERD_NAME, Source, write_layout
from imagesmith.oci.spec import Descriptor, Json, MediaType, Platform, index, to_bytes
from tests.oci.images import make, source, tagged

AMD64 = Platform("amd64")
ONE, TWO, ARM = make("one"), make("two"), make("one", architecture="arm64")


def write(root: Path, *images: Image) -> Path:
    """A layout with the images, tagged 0, 1, …"""
    for number, image in enumerate(images):
        write_layout(root, image.blobs(), [tagged(image, str(number))])
    return root


def digests(base: Base) -> list[str]:
    return [layer.descriptor.digest for layer in base.layers]


def of(image: Image) -> list[str]:
    return [layer.descriptor.digest for layer in image.layers]


def test_the_one_image_is_taken_with_layers_and_environment(tmp_path: Path) -> None:
    base = layout_base(write(tmp_path / "in", ONE), None, AMD64)
    assert digests(base) == of(ONE)
    assert [layer.diff_id for layer in base.layers] == [layer.diff_id for layer in ONE.layers]
    assert base.env == {"PATH": "/bin", "LANG": "C.UTF-8"}
    assert base.labels["maker"] == "Käthe"
    # A folder's name is no reference, so none is told.
    assert base.annotations == {"org.opencontainers.image.base.digest": ONE.digest}
    with base.layers[0].open() as mine, ONE.layers[0].open() as theirs:
        assert mine.read() == theirs.read()


@pytest.mark.parametrize("nested", [True, False])
def test_a_full_reference_in_the_layout_is_the_bases_name(tmp_path: Path, nested: bool) -> None:
    inner = index([ONE.descriptor, ARM.descriptor])
    inner_of = Descriptor.of(MediaType.INDEX, inner)
    entry = replace(
        inner_of if nested else ONE.descriptor,
        annotations={CONTAINERD_NAME: "registry.example/base:1"},
    )
    blobs = [*ONE.blobs(), *ARM.blobs(), source(inner, inner_of)]
    write_layout(tmp_path / "in", blobs, [entry])
    assert layout_base(tmp_path / "in", None, AMD64).annotations == {
        "org.opencontainers.image.base.digest": ONE.digest,
        "org.opencontainers.image.base.name": "registry.example/base:1",
    }


def test_an_image_of_another_architecture_is_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="no image here is for linux/amd64") as raised:
        layout_base(write(tmp_path, ARM), None, AMD64)
    assert f"{ARM.digest} (linux/arm64)" in raised.value.message
    assert raised.value.hint == "Use a base of the release's architecture."


def test_the_configuration_has_the_last_word_on_the_architecture(tmp_path: Path) -> None:
    write_layout(tmp_path / "in", ARM.blobs(), [replace(ARM.descriptor, platform=None)])
    with pytest.raises(BaseError, match="is for linux/arm64, but the release is for linux/amd64"):
        layout_base(tmp_path / "in", None, AMD64)


def test_of_images_for_many_platforms_the_releases_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "in", ARM, ONE)
    assert digests(layout_base(tmp_path / "in", None, AMD64)) == of(ONE)


def test_of_several_images_one_must_be_named_by_its_digest(tmp_path: Path) -> None:
    write(tmp_path / "in", ONE, TWO)
    with pytest.raises(BaseError, match="2 images fit linux/amd64") as raised:
        layout_base(tmp_path / "in", None, AMD64)
    assert ONE.digest in raised.value.message
    assert TWO.digest in raised.value.message
    assert digests(layout_base(tmp_path / "in", TWO.digest, AMD64)) == of(TWO)


def test_an_image_with_two_tags_is_one_image(tmp_path: Path) -> None:
    write(tmp_path / "in", ONE, ONE)
    assert digests(layout_base(tmp_path / "in", None, AMD64)) == of(ONE)
    assert digests(layout_base(tmp_path / "in", ONE.digest, AMD64)) == of(ONE)


def test_a_digest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match=f"there is no image {TWO.digest}"):
        layout_base(write(tmp_path / "in", ONE), TWO.digest, AMD64)


def test_a_layout_without_images_says_so(tmp_path: Path) -> None:
    write_layout(tmp_path / "in", [], [])
    with pytest.raises(BaseError, match=r"in: there is no image$"):
        layout_base(tmp_path / "in", None, AMD64)


@pytest.fixture
def nested(tmp_path: Path) -> tuple[Path, str, str]:
    """A layout with an index of an index of two platforms, beside another image; digests."""
    attestation = replace(TWO.descriptor, platform=Platform("unknown", "unknown"))
    inner = index([ONE.descriptor, ARM.descriptor, attestation])
    inner_of = Descriptor.of(MediaType.INDEX, inner)
    outer = index([inner_of])
    outer_of = Descriptor.of(MediaType.DOCKER_INDEX, outer)
    blobs = [*ONE.blobs(), *ARM.blobs(), source(inner, inner_of), source(outer, outer_of)]
    write_layout(tmp_path / "in", blobs, [outer_of])
    return tmp_path / "in", outer_of.digest, inner_of.digest


def test_an_index_of_indexes_leads_to_the_releases_platform(nested: tuple[Path, str, str]) -> None:
    path, outer, inner = nested
    for digest in (None, outer, inner, ONE.digest):
        assert digests(layout_base(path, digest, AMD64)) == of(ONE)
    assert digests(layout_base(path, None, Platform("arm64"))) == of(ARM)
    with pytest.raises(BaseError, match=r"no image here is for linux/amd64"):
        layout_base(path, ARM.digest, AMD64)


@pytest.mark.parametrize("which", ["manifest", "config"])
@pytest.mark.parametrize("data", [None, b"", b"{}"])
def test_a_missing_or_damaged_document_is_named(
    tmp_path: Path, which: str, data: bytes | None
) -> None:
    write(tmp_path / "in", ONE)
    digest = ONE.digest if which == "manifest" else ONE.config_descriptor.digest
    blob = tmp_path / "in/blobs" / digest.replace(":", "/")
    blob.unlink()
    if data is not None:
        blob.write_bytes(data)
    problem = "No such file" if data is None else "is damaged"
    with pytest.raises(BaseError, match=f"blob {digest}.*{problem}"):
        layout_base(tmp_path / "in", None, AMD64)


def test_a_damaged_or_missing_layer_is_found_before_it_is_passed_on(tmp_path: Path) -> None:
    write(tmp_path / "in", ONE)
    base = layout_base(tmp_path / "in", None, AMD64)
    (layer,) = base.layers
    blob = tmp_path / "in/blobs" / layer.descriptor.digest.replace(":", "/")
    blob.write_bytes(blob.read_bytes()[:-1])
    with pytest.raises(OutputError, match="is damaged"):
        write_layout(tmp_path / "out", [Source(layer.descriptor, layer.open)], [])
    blob.unlink()
    with pytest.raises(BaseError, match="No such file"):
        write_layout(tmp_path / "out", [Source(layer.descriptor, layer.open)], [])


Change = Callable[[dict[str, object]], None]


def changed(tmp_path: Path, change: Change, *, config: Change = lambda _: None) -> Path:
    """The layout of an image whose manifest and configuration were changed, digests fitting."""
    settings = json.loads(ONE.config)
    config(settings)
    config_data = to_bytes(settings)
    document = json.loads(ONE.manifest)
    described: Json = Descriptor.of(MediaType.CONFIG, config_data).to_json()
    document["config"] = described
    change(document)
    data = to_bytes(document)
    descriptor = Descriptor.of(document["mediaType"], data)
    held = [*ONE.blobs(), source(data, descriptor)]
    held.append(source(config_data, Descriptor.of(MediaType.CONFIG, config_data)))
    write_layout(tmp_path / "in", held, [descriptor])
    return tmp_path / "in"


def with_layer_type(media_type: str) -> Change:
    def change(document: dict[str, object]) -> None:
        document["layers"][0]["mediaType"] = media_type  # type: ignore[index]

    return change


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    ],
)
def test_layers_that_cannot_be_passed_on_are_refused(tmp_path: Path, media_type: str) -> None:
    path = changed(tmp_path, with_layer_type(media_type))
    with pytest.raises(BaseError, match="which an image cannot be built on") as raised:
        layout_base(path, None, AMD64)
    assert media_type in raised.value.message


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (MediaType.DOCKER_LAYER, MediaType.LAYER_GZIP),
        (MediaType.LAYER_TAR, MediaType.LAYER_TAR),
        (MediaType.LAYER_ZSTD, MediaType.LAYER_ZSTD),
    ],
)
def test_dockers_layers_get_their_oci_name(tmp_path: Path, given: str, taken: str) -> None:
    base = layout_base(changed(tmp_path, with_layer_type(given)), None, AMD64)
    assert [layer.descriptor.media_type for layer in base.layers] == [taken]


def test_an_artifact_is_no_image(tmp_path: Path) -> None:
    def change(document: dict[str, object]) -> None:
        document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"  # type: ignore[index]

    with pytest.raises(BaseError, match="is no image, but an artifact"):
        layout_base(changed(tmp_path, change), None, AMD64)


def test_a_manifest_of_a_type_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    def change(document: dict[str, object]) -> None:
        document["mediaType"] = "application/vnd.docker.distribution.manifest.v1+json"

    with pytest.raises(BaseError, match=r"is no image, but application/vnd.docker.*v1\+json"):
        layout_base(changed(tmp_path, change), None, AMD64)


def test_layers_and_diff_ids_must_be_as_many(tmp_path: Path) -> None:
    def config(document: dict[str, object]) -> None:
        document["rootfs"]["diff_ids"] = []  # type: ignore[index]

    with pytest.raises(BaseError, match="1 layers, but 0 diff IDs"):
        layout_base(changed(tmp_path, lambda _: None, config=config), None, AMD64)
