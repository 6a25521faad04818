"""The shared layer cache: what is known is not written, what is damaged is not known."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagesmith.errors import OutputError, ReleaseError
from imagesmith.layer.cache import Cache
from imagesmith.layer.entry import Entry
from tests.layer.caches import fill, key_of, made_cache, read, tar_of

KEY = key_of("shop")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return made_cache(tmp_path / "cache")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_layer_is_found_by_the_next_run_and_read_without_its_tar(cache: Cache) -> None:
    assert cache.find(KEY) is None
    (written,) = fill(cache, "shop")
    assert written.found is None
    later = made_cache(cache.folder)
    found = later.find(KEY)
    assert found == replace(written, found="cache")
    assert gzip.decompress(read(later, found)) == b"shop"


def test_an_entry_says_what_the_blob_is(cache: Cache) -> None:
    (entry,) = fill(cache, "shop")
    blob = cache.blobs.path(entry.digest).read_bytes()
    assert entry.size == len(blob)
    assert entry.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert entry.diff_id == f"sha256:{hashlib.sha256(b'shop').hexdigest()}"
    assert (entry.of, entry.key) == ("own shop", KEY)


def test_finding_reads_no_blob_and_opening_writes_a_lacking_one_again(cache: Cache) -> None:
    (entry,) = fill(cache, "shop")
    shutil.rmtree(cache.blobs.folder)
    found = cache.find(KEY)
    assert found == replace(entry, found="cache")
    assert gzip.decompress(read(cache, found, tar_of("shop"))) == b"shop"
    assert gzip.decompress(read(cache, found)) == b"shop"


def test_a_damaged_blob_is_written_again(cache: Cache) -> None:
    (entry,) = fill(cache, "shop")
    cache.blobs.path(entry.digest).write_bytes(b"x" * entry.size)
    assert gzip.decompress(read(cache, entry, tar_of("shop"))) == b"shop"


def test_a_blob_that_cannot_be_made_again_says_that_the_codec_changed(cache: Cache) -> None:
    (entry,) = fill(cache, "shop")
    foreign = replace(entry, digest=f"sha256:{'0' * 64}", codec="zlib-9")
    with pytest.raises(OutputError, match="the layer own shop was compressed to sha256:000"):
        cache.open(foreign, tar_of("shop"))


def test_other_files_under_a_known_key_are_told(cache: Cache) -> None:
    (entry,) = fill(cache, "shop")
    shutil.rmtree(cache.blobs.folder)
    with pytest.raises(OutputError, match="its files are now sha256:"):
        cache.open(entry, tar_of("another"))


Damage = Callable[[bytes], bytes]


def _said(change: Callable[[dict[str, object]], object]) -> Damage:
    """The entry with something else in it, and the right checksum."""

    def changed(data: bytes) -> bytes:
        document = json.loads(data.partition(b"\n")[0])
        change(document)
        text = json.dumps(document).encode()
        return text + f"\nsha256:{hashlib.sha256(text).hexdigest()}\n".encode()

    return changed


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: bytes(len(data)),
        lambda data: data.replace(b'"size":', b'"size":1'),
        lambda data: data + b"\n",
        lambda _: b"[]\n",
        _said(lambda document: document.update(version=2)),
        _said(lambda document: document.update(key=key_of("another"))),
        _said(lambda document: document.update(size="many")),
        _said(lambda document: document.update(digest="md5:0")),
        _said(lambda document: document.pop("diffId")),
        _said(lambda document: document.update(holders="ghcr.io")),
        _said(lambda document: document.update(codec="another-1")),
    ],
)
def test_an_entry_that_is_damaged_or_another_version_s_is_none(
    cache: Cache, damage: Damage
) -> None:
    (entry,) = fill(cache, "shop")
    path = cache.entries.path(KEY)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.find(KEY) is None
    assert fill(cache, "shop") == [entry]
    assert cache.find(KEY) == replace(entry, found="cache")


def test_every_flipped_bit_of_an_entry_is_noticed(cache: Cache) -> None:
    fill(cache, "shop")
    path = cache.entries.path(KEY)
    data = path.read_bytes()
    for number in range(len(data)):
        path.write_bytes(data[:number] + bytes([data[number] ^ 4]) + data[number + 1 :])
        assert cache.find(KEY) is None


def test_two_processes_that_write_one_key_get_the_same_entry(cache: Cache) -> None:
    other = made_cache(cache.folder)

    def tar_while_another_writes() -> list[bytes]:
        fill(other, "shop")
        return [b"shop"]

    written = cache.write(KEY, tar_while_another_writes, "own shop")
    assert other.find(KEY) == replace(written, found="cache")
    assert len(files(cache.folder)) == 2


def test_a_failure_leaves_nothing(cache: Cache) -> None:
    def broken() -> list[bytes]:
        raise ReleaseError("a file was changed")

    with pytest.raises(ReleaseError, match="a file was changed"):
        cache.write(KEY, broken)
    assert cache.find(KEY) is None
    assert files(cache.folder) == []


def test_what_is_found_is_marked_as_used(cache: Cache) -> None:
    fill(cache, "shop", used=1)
    assert cache.find(KEY)
    assert cache.entries.path(KEY).stat().st_mtime > 1


def test_holders_are_remembered_the_last_seen_first_and_not_without_end(cache: Cache) -> None:
    fill(cache, "shop")
    for number in range(40):
        cache.holds(KEY, f"ghcr.io/team/shop{number}")
    cache.holds(KEY, "ghcr.io/team/shop38")
    found = cache.find(KEY)
    assert found
    assert found.holders[:3] == tuple(f"ghcr.io/team/shop{at}" for at in (38, 39, 37))
    assert len(found.holders) == 16
    cache.holds(key_of("unknown"), "ghcr.io/team/shop")
    assert cache.find(key_of("unknown")) is None


def _unwritable(folder: Path) -> None:
    """Nothing can be made below a file, whoever tries: tests may run as root."""
    shutil.rmtree(folder / "blobs/tmp")
    (folder / "blobs/tmp").write_text("")


def test_where_it_cannot_be_written_what_is_there_is_found_and_the_rest_is_kept_for_the_run(
    cache: Cache,
) -> None:
    fill(cache, "known")
    _unwritable(cache.folder)
    said: list[str] = []
    later = made_cache(cache.folder, said)
    known = later.find(key_of("known"))
    assert known
    assert gzip.decompress(read(later, known)) == b"known"
    assert said == []
    fresh = fill(later, "fresh", "fresher")
    for entry, text in zip(fresh, (b"fresh", b"fresher"), strict=True):
        assert later.find(entry.key) == entry
        assert gzip.decompress(read(later, entry)) == text
    (note,) = said
    assert note.startswith(f"{cache.folder}/blobs: a blob cannot be written: ")
    assert note.endswith("; layers are not kept for the next build")
    later.holds(key_of("known"), "ghcr.io/team/shop")
    assert made_cache(cache.folder).find(key_of("fresh")) is None


def test_where_it_cannot_be_written_a_lacking_blob_is_made_for_the_run(cache: Cache) -> None:
    (entry,) = fill(cache, "shop")
    cache.blobs.path(entry.digest).unlink()
    _unwritable(cache.folder)
    later = made_cache(cache.folder)
    assert gzip.decompress(read(later, entry, tar_of("shop"))) == b"shop"
    assert gzip.decompress(read(later, entry)) == b"shop"


def test_a_cache_that_is_a_file_is_a_cache_without_anything(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    said: list[str] = []
    cache = made_cache(tmp_path / "cache", said)
    assert cache.find(KEY) is None
    (entry,) = fill(cache, "shop")
    assert gzip.decompress(read(cache, entry)) == b"shop"
    assert len(said) == 1


def test_where_nothing_at_all_can_be_written_the_error_says_where(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    said: list[str] = []
    cache = made_cache(tmp_path / "cache", said)
    (tmp_path / "cache spare").rmdir()
    with pytest.raises(OutputError, match="spare: a layer cannot be written: No such file") as it:
        fill(cache, "shop")
    assert it.value.hint is not None
    assert "TMPDIR" in it.value.hint
    assert str(tmp_path / "cache") in said[0]


def test_an_entry_in_which_a_folder_lies_is_none(cache: Cache) -> None:
    cache.entries.path(KEY).mkdir(parents=True)
    assert cache.find(KEY) is None
    (entry,) = fill(cache, "shop")
    assert gzip.decompress(read(cache, entry)) == b"shop"


def test_equal_layers_share_their_blob(cache: Cache) -> None:
    one = cache.write(key_of("one"), tar_of("same"))
    two = cache.write(key_of("two"), tar_of("same"))
    assert one.digest == two.digest
    assert len(files(cache.blobs.folder)) == 1


def test_entries_are_the_same_bytes_for_the_same_layer() -> None:
    entry = Entry(KEY, "sha256:1", "sha256:2", 3, "type", "codec", ("b", "a"), of="own shop")
    assert entry.to_bytes() == replace(entry, found="cache").to_bytes()
