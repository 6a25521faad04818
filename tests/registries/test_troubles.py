"""Thirty pushes through a proxy that does harm by lot: never a wrong image, a whole one at last."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from imagesmith.errors import RegistryError
from imagesmith.image.image import Image
from imagesmith.oci.spec import MediaType
from tests.oci.images import make
from tests.registries.oracles import crane
from tests.registries.proxy import proxy
from tests.registries.pushes import noise, push
from tests.registries.schedules import schedule
from tests.registries.servers import docker_registry

pytestmark = pytest.mark.oracle

RUNS = 12
LARGE = 5_000_000
"""Bytes of a layer that goes over in two chunks."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="module")
def old() -> Image:
    return make("old")


@pytest.fixture(scope="module")
def new() -> Image:
    return make("old", noise(1, LARGE), "new", "newer")


@pytest.mark.parametrize("seed", range(30))
def test_whatever_goes_wrong_the_image_arrives_in_the_end(
    seed: int, registry: str, old: Image, new: Image
) -> None:
    name = f"shop/{seed}"
    push(old, f"{registry}/{name}:1")
    with proxy(registry) as passing:
        for trouble in schedule(seed):
            trouble.put_on(passing)
        for _ in range(RUNS):
            try:
                push(new, f"{passing.host}/{name}:1")
                break
            except RegistryError as error:
                assert error.message.startswith(passing.host)
                assert "\n" not in error.message
                assert under_tag(registry, name) in {old.manifest, new.manifest}
        else:
            pytest.fail(f"not in {RUNS} runs: {schedule(seed)}")
    assert under_tag(registry, name) == new.manifest
    crane("validate", "--remote", f"{registry}/{name}:1")


def under_tag(registry: str, name: str) -> bytes:
    """What the registry itself says that the tag is."""
    request = urllib.request.Request(
        f"http://{registry}/v2/{name}/manifests/1", headers={"Accept": MediaType.MANIFEST}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())
