"""Our client at registries that others wrote, and what other clients say of the result."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from imagesmith.errors import OutputError, RegistryError
from imagesmith.image.image import Image
from imagesmith.oci.blob import Source
from imagesmith.oci.patience import Patience
from imagesmith.oci.push import PushedBlobs, Wanted, push_images
from imagesmith.oci.reference import Reference
from imagesmith.oci.referrers import push_referrer, referrers
from imagesmith.oci.registry import Registry
from imagesmith.oci.repository import How, Repository
from imagesmith.oci.spec import Descriptor, MediaType, digest_of
from tests.oci.images import make, source
from tests.registries.oracles import crane, is_whole, run
from tests.registries.servers import crane_registry, docker_registry

pytestmark = pytest.mark.oracle

ONE, TWO = make("one", "both"), make("both", "two")
LARGE = source(os.urandom(9_500_000))
"""Two chunks and a half."""


@pytest.fixture(scope="module", params=["docker-registry", "crane"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    serve = crane_registry if request.param == "crane" else docker_registry
    with serve(tmp_path_factory.mktemp("registry")) as found:
        yield found


def unreadable() -> BinaryIO:
    raise AssertionError("nobody should open this")


def wanted(image: Image, *tags: str) -> Wanted:
    blobs = [blob for blob in image.blobs() if blob.descriptor.digest != image.digest]
    return Wanted(blobs, image.manifest, MediaType.MANIFEST, [*map(Reference.parse, tags)])


def unopened(image: Image, *tags: str) -> Wanted:
    """The same, but reading a blob of it fails."""
    found = wanted(image, *tags)
    return replace(found, blobs=[replace(blob, open=unreadable) for blob in found.blobs])


def test_what_is_pushed_is_what_others_pull(host: str, tmp_path: Path) -> None:
    tags = f"{host}/team/shop:1", f"{host}/team/shop:latest"
    assert push_images(Registry(), [wanted(ONE, *tags)]).uploaded == 3
    for tag in tags:
        is_whole(tag, ONE)
    crane("pull", "--format=oci", tags[0], str(tmp_path / "pulled"))
    layout = tmp_path / "copied"
    copy = ["copy", "--insecure-policy", "--src-tls-verify=false", f"docker://{tags[0]}"]
    assert run("skopeo", *copy, f"oci:{layout}:1").returncode == 0
    unpack = ["umoci", "unpack", "--rootless", "--image", f"{layout}:1", str(tmp_path / "bundle")]
    subprocess.run(unpack, check=True, capture_output=True)
    assert (tmp_path / "bundle/rootfs/app/text").read_text() == "both"


def test_a_second_push_opens_no_blob_and_sends_none(host: str) -> None:
    push_images(Registry(), [wanted(ONE, f"{host}/again:1")])
    again = push_images(Registry(), [unopened(ONE, f"{host}/again:1", f"{host}/again:2")])
    assert again == PushedBlobs(present=3)
    is_whole(f"{host}/again:2", ONE)


def test_images_share_their_blobs(host: str) -> None:
    pushed = push_images(
        Registry(), [wanted(ONE, f"{host}/shared:one"), wanted(TWO, f"{host}/shared:two")]
    )
    assert pushed.present + pushed.uploaded == 5  # crane's repositories share their blobs
    is_whole(f"{host}/shared:one", ONE)
    is_whole(f"{host}/shared:two", TWO)


def test_another_repository_mounts_and_opens_no_blob(tmp_path: Path) -> None:
    with docker_registry(tmp_path) as host:
        push_images(Registry(), [wanted(ONE, f"{host}/first:1")])
        copy = unopened(ONE, f"{host}/second:1")
        blobs = [replace(blob, holders=(f"{host}/none", f"{host}/first")) for blob in copy.blobs]
        assert push_images(Registry(), [replace(copy, blobs=blobs)]) == PushedBlobs(mounted=3)
        is_whole(f"{host}/second:1", ONE)


def test_two_repositories_of_one_push_share_by_mounting(tmp_path: Path) -> None:
    with docker_registry(tmp_path) as host:
        tags = f"{host}/first:1", f"{host}/second:1"
        pushed = push_images(Registry(), [wanted(ONE, *tags)])
        assert (pushed.uploaded, pushed.mounted) == (3, 3)
        for tag in tags:
            is_whole(tag, ONE)


def test_what_no_holder_has_is_uploaded_in_the_session_that_is_open(host: str) -> None:
    blob = source(os.urandom(100))
    repository = Registry().repository(f"{host}/mounted")
    holders = f"{host}/none", "other.example/none", f"{host}/mounted"
    assert repository.push_blob(replace(blob, holders=holders)) is How.UPLOADED
    assert b"".join(repository.chunks(blob.descriptor)) == b"".join(blob.chunks())


@pytest.mark.parametrize("size", [0, 1, 4 << 20, (4 << 20) + 1, 8 << 20])
def test_a_blob_of_any_size_arrives(host: str, size: int) -> None:
    blob = source(os.urandom(size))
    repository = Registry().repository(f"{host}/sizes")
    repository.push_blob(blob)
    assert repository.push_blob(replace(blob, open=unreadable)) is How.PRESENT
    assert b"".join(repository.chunks(blob.descriptor)) == b"".join(blob.chunks())


def test_a_large_blob_goes_in_chunks(host: str) -> None:
    repository = Registry().repository(f"{host}/large")
    assert repository.push_blob(LARGE) is How.UPLOADED
    assert b"".join(repository.chunks(LARGE.descriptor)) == b"".join(LARGE.chunks())


def test_a_damaged_source_never_becomes_a_blob(host: str) -> None:
    repository = Registry().repository(f"{host}/damaged")
    promised = Descriptor.of(MediaType.LAYER_GZIP, b"what was promised")
    with pytest.raises(OutputError, match="is damaged"):
        repository.push_blob(source(b"what is there now", promised))
    assert not repository.has(promised)


def test_nothing_is_tagged_before_everything_is_there(host: str) -> None:
    good = wanted(ONE, f"{host}/halfway:good")
    bad = wanted(TWO, f"{host}/halfway:bad")
    missing = Descriptor.of(MediaType.LAYER_GZIP, os.urandom(10))
    broken = Source(missing, lambda: source(b"", missing).open())
    with pytest.raises(OutputError, match="is damaged"):
        push_images(Registry(), [good, replace(bad, blobs=[*bad.blobs, broken])])
    repository = Registry().repository(f"{host}/halfway")
    assert repository.find("good") is None
    assert repository.find(ONE.digest) is None


def test_a_manifest_is_read_by_tag_and_by_digest(host: str) -> None:
    push_images(Registry(), [wanted(ONE, f"{host}/read:1")])
    repository = Registry().repository(f"{host}/read")
    for reference in ("1", ONE.digest):
        descriptor, document = repository.manifest(reference)
        assert document == ONE.manifest
        assert (descriptor.digest, descriptor.media_type) == (ONE.digest, MediaType.MANIFEST)
    assert repository.find("nothing") is None
    with pytest.raises(RegistryError, match=rf"{host}: GET read: manifest nothing: 404") as raised:
        repository.manifest("nothing")
    assert raised.value.status == 404


def _refers(repository: Repository, text: bytes, kind: str) -> Descriptor:
    subject = Descriptor.of(MediaType.MANIFEST, ONE.manifest)
    return push_referrer(repository, subject, kind, [source(text)], {"note": text.decode()})


def test_what_refers_to_an_image_is_found_with_or_without_the_api(host: str) -> None:
    push_images(Registry(), [wanted(ONE, f"{host}/referred:1")])
    repository = Registry().repository(f"{host}/referred")
    assert referrers(repository, ONE.digest) == []
    list_, sbom = "application/x.list", "application/x.sbom"
    one, two = _refers(repository, b"a", list_), _refers(repository, b"b", list_)
    three = _refers(repository, b"c", sbom)
    assert _refers(repository, b"c", sbom) == three
    found = referrers(repository, ONE.digest)
    assert sorted(item.digest for item in found) == sorted(
        item.digest for item in (one, two, three)
    )
    assert [item.digest for item in referrers(repository, ONE.digest, sbom)] == [three.digest]
    (note,) = (item.annotations["note"] for item in found if item.digest == one.digest)
    assert note == "a"
    assert digest_of(repository.document(three)) == three.digest


def test_nobody_there_is_told_with_the_host_in_a_bounded_time() -> None:
    registry = Registry(patience=Patience(tries=2, first_pause=0.01))
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:1: GET /v2/: .*refused, 2 times"):
        registry.repository("127.0.0.1:1/shop").manifest("1")
