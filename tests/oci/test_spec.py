from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesmith.errors import BaseError
from imagesmith.oci.spec import Descriptor, MediaType, Platform, parse, to_bytes
from tests.oci.images import make

DIGEST = "sha256:" + "0" * 64

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), _json, max_size=4))
def test_written_json_is_read_back_and_does_not_depend_on_the_order_of_keys(
    document: dict[str, object],
) -> None:
    data = to_bytes(document)  # type: ignore[arg-type]
    assert json.loads(data) == document
    assert parse(data, "here") == document
    assert to_bytes(dict(reversed(document.items()))) == data  # type: ignore[arg-type]


@given(
    st.builds(
        Descriptor,
        st.text(min_size=1),
        st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"),
        st.integers(0, 1 << 50),
        st.none() | st.builds(Platform, st.text(min_size=1), st.text(min_size=1)),
        st.dictionaries(st.text(), st.text()),
    )
)
def test_a_descriptor_is_read_back_as_it_was_written(descriptor: Descriptor) -> None:
    data = to_bytes(descriptor.to_json())
    assert Descriptor.from_json(json.loads(data), "here") == descriptor


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "here: should be a JSON object"),
        ({}, "here.digest: should be a string"),
        ({"digest": "sha512:" + "0" * 128}, "here.digest: only sha256 digests are known"),
        ({"digest": "sha256:../../x"}, "here.digest: only sha256 digests are known"),
        ({"digest": DIGEST}, "here.size: should be a number of bytes"),
        ({"digest": DIGEST, "size": -1}, "here.size: should be a number of bytes"),
        ({"digest": DIGEST, "size": True}, "here.size: should be a number of bytes"),
        ({"digest": DIGEST, "size": 1}, "here.mediaType: should be a string"),
        (
            {"digest": DIGEST, "size": 1, "mediaType": "a", "platform": []},
            None,
        ),
        (
            {"digest": DIGEST, "size": 1, "mediaType": "a", "platform": "linux"},
            "here.platform: should be a JSON object",
        ),
    ],
)
def test_what_is_no_descriptor_is_refused_with_its_place(
    value: object, problem: str | None
) -> None:
    if problem is None:
        Descriptor.from_json(value, "here")  # type: ignore[arg-type]
        return
    with pytest.raises(BaseError) as raised:
        Descriptor.from_json(value, "here")  # type: ignore[arg-type]
    assert raised.value.message.startswith(problem)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b"{}x"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(BaseError, match="here: this is not JSON"):
        parse(data, "here")


def test_a_manifest_names_its_blobs_by_their_true_digests_and_sizes() -> None:
    image = make("one", "two")
    document = json.loads(image.manifest)
    assert image.digest == f"sha256:{hashlib.sha256(image.manifest).hexdigest()}"
    assert document["mediaType"] == MediaType.MANIFEST
    assert document["config"] == {
        "mediaType": MediaType.CONFIG,
        "digest": f"sha256:{hashlib.sha256(image.config).hexdigest()}",
        "size": len(image.config),
    }
    for layer, entry in zip(image.layers, document["layers"], strict=True):
        with layer.open() as file:
            data = file.read()
        assert entry["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert entry["size"] == len(data)


def test_a_configuration_has_a_line_of_history_for_each_layer() -> None:
    document = json.loads(make("one", "two").config)
    assert len(document["history"]) == len(document["rootfs"]["diff_ids"]) == 2
    assert document["config"]["Cmd"] == ["/app/bin/shop", "start"]
    assert document["config"]["ExposedPorts"] == {"4000/tcp": {}}


def test_settings_that_nobody_made_are_left_out_of_the_configuration() -> None:
    document = json.loads(make().config)
    assert "Volumes" not in document["config"]
    assert document["rootfs"]["diff_ids"] == []
