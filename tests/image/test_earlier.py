"""Earlier images in a real registry: what --append-to learns of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import pytest

from imagesmith.errors import RegistryError
from imagesmith.image.append import PLAIN, Earlier, append_plan
from imagesmith.image.earlier import push_list, read_earlier
from imagesmith.image.filelist import list_members
from imagesmith.image.image import Image, make_image
from imagesmith.layer.gzip import write_gzip
from imagesmith.layer.label import LAYERS_LABEL, write_label
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.split import Group
from imagesmith.layer.tar import tar
from imagesmith.oci.push import Wanted, push_images
from imagesmith.oci.reference import Reference
from imagesmith.oci.registry import Registry
from imagesmith.oci.repository import Repository
from imagesmith.oci.spec import Config, Descriptor, MediaType, Platform
from tests.registry import registry

pytestmark = pytest.mark.oracle

PLATFORM = Platform("amd64")
KEY = "5" * 64


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def file(path: str, text: str) -> Member:
    return FileMember(path, Content.of_bytes(text.encode()))


FIRST = [
    file("bin/shop", "start"),
    file("lib/core/ebin/a.beam", "a"),
    file("lib/core/priv/x", "x" * 3_000_000),
    LinkMember("lib/core-0.1.0", "core"),
    FolderMember("tmp", 0o1777),
]
SECOND = [
    file("bin/shop", "start"),
    file("lib/core/ebin/a.beam", "b"),
    LinkMember("lib/core-0.2.0", "core"),
    FolderMember("tmp", 0o1777),
    FolderMember("var"),
]
THIRD = [file("bin", "no folder any more"), file("lib/core/ebin/a.beam", "a")]


def layer(members: Sequence[Member], key: str | None = None) -> Layer:
    packed = io.BytesIO()
    diff_id, digest, size = write_gzip(tar(members, "app"), packed)
    blob = Descriptor(MediaType.LAYER_GZIP, f"sha256:{digest}", size)
    opened = partial(io.BytesIO, packed.getvalue())
    return Layer(Group.OWN, "made", f"sha256:{diff_id}", blob, opened, key)


def image(*layers: Layer, plain: str | None = None) -> Image:
    config = Config(PLATFORM, "1980-01-01T00:00:00Z", labels={LAYERS_LABEL: write_label(layers)})
    return make_image("shop", "1", config, layers, {PLAIN: plain} if plain else {})


def push(image: Image, reference: str) -> None:
    *blobs, _ = image.blobs()
    tags = [Reference.parse(reference)]
    push_images(Registry(), [Wanted(blobs, image.manifest, MediaType.MANIFEST, tags)])


def fetch(repository: Repository, descriptor: Descriptor) -> BinaryIO:
    return io.BytesIO(b"".join(repository.chunks(descriptor)))


def earlier(reference: str) -> Earlier:
    found = read_earlier(Registry(), reference, PLATFORM, "app", fetch)
    assert found
    return found


def appended(before: Earlier, members: Sequence[Member]) -> Layer:
    plan = append_plan(before.files, members, "app")
    assert plan
    return layer(plan.members)


def test_an_image_that_is_not_there_is_none(host: str) -> None:
    assert read_earlier(Registry(), f"{host}/no/such:1", PLATFORM, "app", fetch) is None


def test_an_image_for_another_platform_is_none(host: str) -> None:
    push(image(layer(FIRST)), f"{host}/platform:1")
    arm = Platform("arm64")
    assert read_earlier(Registry(), f"{host}/platform:1", arm, "app", fetch) is None


def test_the_files_of_an_image_without_a_list_are_read_from_its_layers(host: str) -> None:
    made = image(layer(FIRST, KEY))
    push(made, f"{host}/fresh:1")
    found = earlier(f"{host}/fresh:1")
    assert found.files == list_members(FIRST)
    assert (found.plain, found.appended) == (made.digest, 0)
    assert [one.key for one in found.layers] == [KEY]
    assert found.layers[0].holders == (f"{host}/fresh",)


def test_a_list_beside_the_image_is_taken_instead_of_its_layers(host: str) -> None:
    made = image(layer(FIRST))
    push(made, f"{host}/listed:1")
    push_list(Registry().repository(f"{host}/listed"), made.descriptor, list_members(SECOND))

    def refuse(repository: Repository, descriptor: Descriptor) -> BinaryIO:
        raise AssertionError(f"{descriptor.digest} was fetched")

    found = read_earlier(Registry(), f"{host}/listed:1", PLATFORM, "app", refuse)
    assert found and found.files == list_members(SECOND)


def test_a_list_that_had_to_be_made_is_kept_beside_the_image_if_that_is_wanted(host: str) -> None:
    push(image(layer(FIRST)), f"{host}/kept:1")
    for keep, calls in ((False, 1), (True, 1), (False, 0)):
        fetches: list[str] = []

        def count(repository: Repository, descriptor: Descriptor) -> BinaryIO:
            fetches.append(descriptor.digest)  # noqa: B023
            return fetch(repository, descriptor)

        found = read_earlier(Registry(), f"{host}/kept:1", PLATFORM, "app", count, keep=keep)
        assert found and found.files == list_members(FIRST)
        assert len(fetches) == calls


def test_the_files_of_a_stack_are_those_of_the_release_that_was_appended_last(host: str) -> None:
    bottom = image(layer(FIRST))
    push(bottom, f"{host}/stack:1")
    push_list(Registry().repository(f"{host}/stack"), bottom.descriptor, list_members(FIRST))
    second = appended(earlier(f"{host}/stack:1"), SECOND)
    push(image(*bottom.layers, second, plain=bottom.digest), f"{host}/stack:2")
    assert earlier(f"{host}/stack:2").files == list_members(SECOND)
    third = appended(earlier(f"{host}/stack:2"), THIRD)
    push(image(*bottom.layers, second, third, plain=bottom.digest), f"{host}/stack:3")
    found = earlier(f"{host}/stack:3")
    assert {path: what for path, what in found.files.items() if not what.startswith("f")} == {}
    assert found.files == list_members(THIRD)
    assert (found.appended, found.plain) == (2, bottom.digest)
    assert append_plan(found.files, THIRD, "app") is None


def test_a_stack_whose_bottom_is_gone_is_refused(host: str) -> None:
    bottom = image(layer(FIRST))
    push(image(*bottom.layers, layer(SECOND), plain=bottom.digest), f"{host}/gone:2")
    with pytest.raises(RegistryError, match="appended to"):
        earlier(f"{host}/gone:2")


@pytest.mark.parametrize(("size", "count", "high"), [(1, 20, True), (1, 19, False), (60, 1, True)])
def test_a_stack_of_many_layers_or_large_ones_is_high(size: int, count: int, high: bool) -> None:
    def sized(size: int) -> Layer:
        made = layer(FIRST)
        return replace(made, descriptor=replace(made.descriptor, size=size))

    layers = (sized(100), *(sized(size) for _ in range(count)))
    assert Earlier("x", "sha256:0", layers, count, {}).is_high is high
