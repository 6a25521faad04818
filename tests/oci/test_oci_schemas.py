"""Collected only where the schemas are at hand: see conftest.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagesmith.oci.layout import write_layout
from imagesmith.oci.spec import Config, Platform, to_bytes
from tests.oci.images import CREATED, make, tagged
from tests.oci.schemas import problems


def test_manifest_and_configuration_follow_the_schemas() -> None:
    image = make("one", "two")
    assert problems("image-manifest-schema.json", image.manifest) == []
    assert problems("config-schema.json", image.config) == []


def test_the_smallest_configuration_follows_the_schema() -> None:
    config = to_bytes(Config(Platform("arm64"), CREATED).to_json())
    assert problems("config-schema.json", config) == []


def test_layout_and_index_follow_the_schemas(tmp_path: Path) -> None:
    image = make("one")
    write_layout(tmp_path / "out", image.blobs(), [tagged(image, "1", "docker.io/library/a:1")])
    write_layout(tmp_path / "out", make("two").blobs(), [tagged(make("two"), "2")])
    for name, schema in (("index.json", "image-index"), ("oci-layout", "image-layout")):
        document = (tmp_path / "out" / name).read_bytes()
        assert problems(f"{schema}-schema.json", document) == []


@pytest.mark.parametrize(
    ("schema", "key"),
    [("image-manifest", "config"), ("image-manifest", "layers"), ("config", "rootfs")],
)
def test_the_schemas_do_find_a_missing_property(schema: str, key: str) -> None:
    image = make("one")
    document = json.loads(image.config if schema == "config" else image.manifest)
    del document[key]
    assert problems(f"{schema}-schema.json", json.dumps(document).encode())


def test_the_schemas_do_follow_their_references_to_other_files() -> None:
    document = json.loads(make("one").manifest)
    document["layers"][0]["size"] = "many"
    assert problems("image-manifest-schema.json", json.dumps(document).encode())
