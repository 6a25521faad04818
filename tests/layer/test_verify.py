"""`verify` finds what is damaged in a cache, and nothing else."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from pathlib import Path

import pytest

from imagesmith.layer.cache import Cache
from imagesmith.layer.verify import plain_digest, repair, verify
from imagesmith.oci.layout import write_layout
from imagesmith.oci.spec import MediaType, digest_of
from tests.layer.caches import fill, key_of, made_cache
from tests.oci.images import make, tagged


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = made_cache(tmp_path / "cache")
    fill(made, "one", "two")
    image = make("base")
    write_layout(made.folder / "bases/one", image.blobs(), [tagged(image, "1")])
    return made


def damages(cache: Cache) -> list[Path]:
    return [damage.path for damage in verify(cache.folder).damages]


def test_a_whole_cache_has_no_damage(cache: Cache) -> None:
    report = verify(cache.folder)
    assert report.damages == ()
    assert (report.entries, report.blobs, report.bases) == (2, 2, 1)


def test_a_cache_that_is_not_there_has_none_either(tmp_path: Path) -> None:
    assert verify(tmp_path / "cache").damages == ()


def test_a_lacking_blob_is_a_miss_and_no_damage(cache: Cache) -> None:
    (entry,) = fill(cache, "one")
    cache.blobs.path(entry.digest).unlink()
    assert damages(cache) == []


def test_a_flipped_bit_in_a_blob_is_found_and_repaired_by_removing_it(cache: Cache) -> None:
    (entry,) = fill(cache, "one")
    path = cache.blobs.path(entry.digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    report = verify(cache.folder)
    assert [damage.path for damage in report.damages] == [path]
    assert path.exists()
    repair(report)
    assert not path.exists()
    assert damages(cache) == []


def test_a_damaged_entry_is_found(cache: Cache) -> None:
    path = cache.entries.path(key_of("one"))
    path.write_bytes(path.read_bytes()[:-2])
    assert damages(cache) == [path]


def test_an_entry_under_another_key_s_name_is_found(cache: Cache) -> None:
    stray = cache.entries.path(key_of("another"))
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(cache.entries.path(key_of("one")).read_bytes())
    assert damages(cache) == [stray]


def test_what_does_not_belong_there_is_found_and_repaired(cache: Cache) -> None:
    folder = cache.folder / "layers/zz/folder"
    folder.mkdir(parents=True)
    report = verify(cache.folder)
    assert [damage.path for damage in report.damages] == [folder]
    repair(report)
    assert damages(cache) == []


def test_an_entry_that_lies_about_its_blob_is_found(cache: Cache) -> None:
    (entry,) = fill(cache, "one")
    cache.keep(replace(entry, diff_id=digest_of(b"two")))
    assert damages(cache) == [cache.entries.path(entry.key)]
    assert "says something else" in verify(cache.folder).damages[0].reason


def test_an_entry_of_a_newer_version_is_left_alone(cache: Cache) -> None:
    path = cache.entries.path(key_of("one"))
    document = path.read_bytes().partition(b"\n")[0].replace(b'"version":1', b'"version":9')
    path.write_bytes(document + b"\n" + digest_of(document).encode() + b"\n")
    assert damages(cache) == []
    assert cache.find(key_of("one")) is None


def test_a_damaged_base_is_found_whole(cache: Cache) -> None:
    base = cache.folder / "bases/one"
    blob = max((base / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes() + b"x")
    assert damages(cache) == [base]
    repair(verify(cache.folder))
    assert not base.exists()


@pytest.mark.parametrize("data", [b"no gzip", b"", gzip.compress(b"x", mtime=0)[:-3]])
def test_a_blob_that_cannot_be_unpacked_has_no_diff_id(data: bytes) -> None:
    found = plain_digest(io.BytesIO(data), MediaType.LAYER_GZIP)
    assert found == (None if data else digest_of(b""))


def test_diff_ids_are_those_of_the_tar_whatever_packed_it() -> None:
    import zstandard

    frames = zstandard.compress(b"one ") + zstandard.compress(b"two")
    members = gzip.compress(b"one ") + gzip.compress(b"two")
    for data, media_type in (
        (b"one two", MediaType.LAYER_TAR),
        (members, MediaType.LAYER_GZIP),
        (frames, MediaType.LAYER_ZSTD),
    ):
        assert plain_digest(io.BytesIO(data), media_type) == digest_of(b"one two")
    assert plain_digest(io.BytesIO(b"no zstd"), MediaType.LAYER_ZSTD) is None
