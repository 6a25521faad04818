from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from imagesmith.errors import BaseError
from imagesmith.oci.layout import Layout, write_layout
from imagesmith.oci.spec import Descriptor, MediaType, index
from tests.oci.images import make, source, tagged


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    image = make("one")
    write_layout(tmp_path / "in", image.blobs(), [tagged(image, "1")])
    return tmp_path / "in"


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_a_folder_without_its_marks_is_no_layout(layout: Path, name: str) -> None:
    (layout / name).unlink()
    with pytest.raises(BaseError, match=f"{layout}: this is no OCI layout"):
        Layout(layout)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("oci-layout", "{}", "only imageLayoutVersion 1.0.0 is known"),
        ("oci-layout", '{"imageLayoutVersion": "2.0.0"}', "only imageLayoutVersion 1.0.0"),
        ("oci-layout", "", "oci-layout: this is not JSON"),
        ("index.json", "[]", "index.json: should be a JSON object"),
        ("index.json", "{}", "index.json: manifests: should be a JSON array"),
        ("index.json", '{"manifests": ["x"]}', r"manifests\[0\]: should be a JSON object"),
    ],
)
def test_a_mark_that_is_wrong_is_named(layout: Path, name: str, text: str, problem: str) -> None:
    (layout / name).write_text(text)
    with pytest.raises(BaseError, match=problem):
        Layout(layout)


def test_a_document_is_checked_by_digest_and_by_size(layout: Path) -> None:
    opened = Layout(layout)
    entry = opened.manifests[0]
    assert opened.document(entry) == make("one").manifest
    with pytest.raises(BaseError, match="is damaged"):
        opened.document(replace(entry, size=entry.size - 1))
    opened.path(entry.digest).write_bytes(b"{}")
    with pytest.raises(BaseError, match=f"blob {entry.digest} is damaged"):
        opened.document(entry)


def test_a_document_of_many_megabytes_is_refused_unread(layout: Path) -> None:
    opened = Layout(layout)
    entry = replace(opened.manifests[0], size=5 << 20)
    with pytest.raises(BaseError, match="too large for a document"):
        opened.document(entry)


def test_everything_below_an_index_is_reachable(tmp_path: Path) -> None:
    images = [make("one"), make("two")]
    data = index([image.descriptor for image in images])
    inner = Descriptor.of(MediaType.INDEX, data)
    blobs = [blob for image in images for blob in image.blobs()]
    write_layout(tmp_path / "in", [*blobs, source(data, inner)], [inner])
    reached = Layout(tmp_path / "in").reachable()
    assert reached == {inner.digest, *(blob.descriptor.digest for blob in blobs)}
    assert json.loads(data)["mediaType"] == MediaType.INDEX
