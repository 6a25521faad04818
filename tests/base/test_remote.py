"""A base by reference, from registries that others wrote, without any Docker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesmith.base.remote import remote_base
from imagesmith.errors import BaseError
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.push import Wanted, push_images
from imagesmith.oci.reference import Reference
from imagesmith.oci.registry import Registry
from imagesmith.oci.spec import MediaType, Platform
from tests.oci.images import make
from tests.registries.oracles import crane
from tests.registries.servers import crane_registry, docker_registry

pytestmark = pytest.mark.oracle

AMD64, ARM64 = Platform("amd64"), Platform("arm64")
ONE, ARM = make("one", "two"), make("one", "arm", architecture="arm64")
NAME = "org.opencontainers.image.base.name"
DIGEST = "org.opencontainers.image.base.digest"


@pytest.fixture(scope="module", params=["docker-registry", "crane"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with `base:one`, `base:arm`, and both in an index of crane's, `base:all`."""
    serve = crane_registry if request.param == "crane" else docker_registry
    with serve(tmp_path_factory.mktemp("registry")) as found:
        for image, tag in ((ONE, "one"), (ARM, "arm")):
            blobs = [blob for blob in image.blobs() if blob.descriptor.digest != image.digest]
            reference = Reference.parse(f"{found}/base:{tag}")
            push_images(
                Registry(), [Wanted(blobs, image.manifest, MediaType.MANIFEST, [reference])]
            )
        one, arm = f"{found}/base:one", f"{found}/base:arm"
        crane("index", "append", "-t", f"{found}/base:all", "-m", one, "-m", arm)
        yield found


@pytest.fixture
def store(tmp_path: Path) -> BlobDir:
    return BlobDir(tmp_path / "blobs")


@pytest.mark.parametrize("tag", ["one", "all"])
def test_a_reference_becomes_the_platforms_image(host: str, store: BlobDir, tag: str) -> None:
    base = remote_base(f"{host}/base:{tag}", AMD64, Registry(), store)
    assert [layer.descriptor for layer in base.layers] == [item.descriptor for item in ONE.layers]
    assert [layer.diff_id for layer in base.layers] == [item.diff_id for item in ONE.layers]
    assert base.env == {"PATH": "/bin", "LANG": "C.UTF-8"}
    assert base.labels["maker"] == "Käthe"
    assert base.annotations == {NAME: f"{host}/base:{tag}", DIGEST: ONE.digest}
    assert base.description == f"{host}/base:{tag} ({ONE.digest})"
    for layer, theirs in zip(base.layers, ONE.layers, strict=True):
        with layer.open() as mine, theirs.open() as other:
            assert mine.read() == other.read()


def test_a_layer_is_fetched_when_it_is_read_and_once(host: str, store: BlobDir) -> None:
    base = remote_base(f"{host}/base:one", AMD64, Registry(), store)
    assert store.open(base.layers[0].descriptor) is None
    base.layers[0].open().close()
    registry = Registry()
    again = remote_base(f"{host}/base:one", AMD64, registry, store)
    registry.stop()  # from here on nothing can be asked
    again.layers[0].open().close()


def test_the_layers_say_who_holds_them(host: str, store: BlobDir) -> None:
    base = remote_base(f"{host}/base:one", AMD64, Registry(), store)
    assert {layer.holders for layer in base.layers} == {(f"{host}/base",)}


def test_a_digest_pins_an_image_or_an_index(host: str, store: BlobDir) -> None:
    every = json.loads(crane("manifest", f"{host}/base:all"))
    assert len(every["manifests"]) == 2
    for reference, name in (
        (f"{host}/base@{ONE.digest}", f"{host}/base@{ONE.digest}"),
        (f"{host}/base:gone@{ONE.digest}", f"{host}/base:gone"),
        (f"{host}/base@{crane('digest', f'{host}/base:all').strip()}", None),
    ):
        base = remote_base(reference, AMD64, Registry(), store)
        assert base.annotations == {NAME: name or reference, DIGEST: ONE.digest}


@pytest.mark.parametrize(
    ("tag", "words"), [("arm", "is for linux/arm64"), ("all", "no image here is for linux/s390x")]
)
def test_a_base_for_another_architecture_is_refused(
    host: str, store: BlobDir, tag: str, words: str
) -> None:
    platform = AMD64 if tag == "arm" else Platform("s390x")
    with pytest.raises(BaseError, match=words) as raised:
        remote_base(f"{host}/base:{tag}", platform, Registry(), store)
    assert f"{host}/base:{tag}" in raised.value.message


def test_a_base_that_is_not_there_is_named(host: str, store: BlobDir) -> None:
    with pytest.raises(BaseError, match="there is no such image, or it wants a login") as raised:
        remote_base(f"{host}/nobody/made-this:1", AMD64, Registry(), store)
    assert f"base {host}/nobody/made-this:1" in raised.value.message
