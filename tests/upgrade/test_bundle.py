"""A bundle as an archive and as a layout, and the files out of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from imagesmith.errors import BundleError
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.layout import write_layout
from imagesmith.oci.registry import Registry
from imagesmith.oci.spec import Descriptor, MediaType
from imagesmith.upgrade.bundle import Bundle, make_bundle, open_bundle, volume_tar, write_bundle
from tests.upgrade.bundles import bundle, layer


def opened(place: str, folder: Path) -> Bundle:
    return open_bundle(place, Registry, BlobDir(folder / "blobs"))


def unpacked(made: Bundle) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(volume_tar(made)))) as archive:
        return {member.name: member for member in archive}


@pytest.mark.parametrize("layout", [False, True])
def test_it_is_read_back_as_it_was_written(tmp_path: Path, layout: bool) -> None:
    made, path = bundle(), tmp_path / "shop.upgrade.tar"
    write_bundle(made, path, layout=layout)
    place = f"oci:{path}@{made.descriptor.digest}" if layout else str(path)
    for found in (opened(place, tmp_path), opened(str(path), tmp_path)):
        assert found.facts == made.facts
        assert found.descriptor == made.descriptor
        assert b"".join(volume_tar(found)) == b"".join(volume_tar(made))
        assert (found.relup.before, found.relup.after) == ("1", "2")


def test_it_is_written_alike_every_time(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        write_bundle(bundle(), tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_just_the_listed_files_come_out_of_it() -> None:
    found = unpacked(bundle())
    assert [name for name, member in found.items() if not member.isdir()] == [
        "lib/own-2.0.0/ebin/a.beam",
        "releases/2/bin/shop",
        "releases/2/relup",
        "lib/own-2.0.0/priv/nif.so",
    ]
    assert found["releases/2/bin/shop"].mode == 0o755
    assert found["releases/2/relup"].mode == 0o644
    assert found["lib/own-2.0.0/priv/nif.so"].linkname == "/app/lib/own/priv/nif.so"
    assert found["lib/own-2.0.0/priv"].mode == 0o755


def spoilt(change: Callable[[Bundle], Bundle]) -> str:
    with pytest.raises(BundleError) as refused:
        list(volume_tar(change(bundle())))
    return refused.value.message


def test_a_file_that_is_another_than_listed_is_refused() -> None:
    def change(made: Bundle) -> Bundle:
        first, *rest = made.facts.files
        files = (replace(first, sha256="0" * 64), *rest)
        return replace(made, facts=replace(made.facts, files=files))

    assert "lib/own-2.0.0/ebin/a.beam is damaged" in spoilt(change)


def test_a_layer_that_is_another_than_described_is_refused() -> None:
    def change(made: Bundle) -> Bundle:
        with made.layers[0].open() as file:
            data = bytearray(file.read())
        data[len(data) // 2] ^= 1
        first = replace(made.layers[0], open=partial(io.BytesIO, bytes(data)))
        return replace(made, layers=(first, *made.layers[1:]))

    assert "damaged" in spoilt(change)


def test_a_layer_that_is_cut_short_is_refused() -> None:
    def change(made: Bundle) -> Bundle:
        with made.layers[0].open() as file:
            data = file.read()[:-30]
        short = replace(made.layers[0].descriptor, size=len(data))
        first = replace(made.layers[0], open=partial(io.BytesIO, data), descriptor=short)
        return replace(made, layers=(first, *made.layers[1:]))

    assert "damaged" in spoilt(change)


def test_a_file_that_its_layer_lacks_is_named() -> None:
    def change(made: Bundle) -> Bundle:
        return replace(made, layers=(layer({"x": b""})[1], made.layers[1]))

    assert "lacks app/lib/own/ebin/a.beam" in spoilt(change)


def test_an_image_is_no_bundle(tmp_path: Path) -> None:
    image = b'{"schemaVersion": 2, "config": {}, "layers": []}'
    entry = Descriptor.of(MediaType.MANIFEST, image)
    write_layout(
        tmp_path / "oci",
        [replace(layer({})[1], descriptor=entry, open=partial(io.BytesIO, image))],
        [entry],
    )
    with pytest.raises(BundleError, match="this is no upgrade bundle") as refused:
        opened(f"oci:{tmp_path}/oci", tmp_path)
    assert "--upgrade-from" in str(refused.value.hint)


@pytest.mark.parametrize("data", [b"", b"no tar", bytes(10240)])
def test_another_file_is_no_bundle(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    with pytest.raises(BundleError, match="this is no"):
        opened(str(path), tmp_path)


@pytest.mark.parametrize("name", ["x.tar", "folder"])
def test_what_is_not_there_is_named_as_it_was_given(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BundleError, match=f"{name}: there is no such bundle"):
        opened(str(tmp_path / name), tmp_path)


def test_two_bundles_in_a_layout_are_told_apart_by_digest(tmp_path: Path) -> None:
    one = bundle()
    other = make_bundle(replace(one.facts, before="0"), one.layers)
    for made in (one, other):
        write_bundle(made, tmp_path / "oci", layout=True)
    with pytest.raises(BundleError, match="2 upgrade bundles"):
        opened(f"oci:{tmp_path}/oci", tmp_path)
    found = opened(f"oci:{tmp_path}/oci@{other.descriptor.digest}", tmp_path)
    assert found.facts.before == "0"
