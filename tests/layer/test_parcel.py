"""Archives of a cache: what comes out is what went in, and nothing that is not checked gets in."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagesmith.errors import CacheError, OutputError
from imagesmith.layer.cache import Cache
from imagesmith.layer.parcel import Parcel, export_cache, import_cache
from imagesmith.layer.verify import verify
from tests.layer.caches import fill, key_of, made_cache

Change = Callable[[dict[str, bytes]], object]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = made_cache(tmp_path / "cache")
    for used, text in enumerate(("one", "two", "three"), 1):
        fill(made, text, used=used)
    return made


@pytest.fixture
def other(tmp_path: Path) -> Cache:
    return made_cache(tmp_path / "other")


def size_of(cache: Cache, *texts: str) -> int:
    entries = [cache.entries.read(key_of(text)) for text in texts]
    return sum(entry.size for entry in entries if entry)


def files(cache: Cache) -> dict[str, bytes]:
    return {
        str(path.relative_to(cache.folder)): path.read_bytes()
        for path in cache.folder.rglob("*")
        if path.is_file()
    }


def test_another_cache_gets_all_layers(cache: Cache, other: Cache, tmp_path: Path) -> None:
    written = export_cache(cache.folder, tmp_path / "x.tar")
    assert written == Parcel(3, size_of(cache, "one", "two", "three"))
    assert import_cache(other.folder, tmp_path / "x.tar") == written
    assert files(other) == files(cache)
    assert other.find(key_of("two"))


def test_the_same_layers_give_the_same_archive(cache: Cache, other: Cache, tmp_path: Path) -> None:
    export_cache(cache.folder, tmp_path / "x.tar")
    fill(other, "three", "one", "two")
    export_cache(other.folder, tmp_path / "y.tar")
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "y.tar").read_bytes()


def test_a_limit_takes_the_last_used(cache: Cache, other: Cache, tmp_path: Path) -> None:
    limit = size_of(cache, "three", "two")
    assert export_cache(cache.folder, tmp_path / "x.tar", max_size=limit).layers == 2
    import_cache(other.folder, tmp_path / "x.tar")
    assert other.find(key_of("one")) is None
    assert other.find(key_of("three"))


def test_keys_choose_layers(cache: Cache, other: Cache, tmp_path: Path) -> None:
    assert export_cache(cache.folder, tmp_path / "x.tar", keys={key_of("one")}).layers == 1
    import_cache(other.folder, tmp_path / "x.tar")
    assert other.find(key_of("one"))


def test_damaged_and_lacking_blobs_are_left_out(cache: Cache, tmp_path: Path) -> None:
    (one, two) = fill(cache, "one", "two")
    cache.blobs.path(one.digest).write_bytes(b"x")
    cache.blobs.path(two.digest).unlink()
    assert export_cache(cache.folder, tmp_path / "x.tar").layers == 1


def test_what_is_known_is_not_taken_again(cache: Cache, other: Cache, tmp_path: Path) -> None:
    export_cache(cache.folder, tmp_path / "x.tar")
    fill(other, "one")
    other.holds(key_of("one"), "ghcr.io/team/shop")
    assert import_cache(other.folder, tmp_path / "x.tar").known == 1
    found = other.find(key_of("one"))
    assert found
    assert found.holders == ("ghcr.io/team/shop",)


def test_an_archive_that_cannot_be_written_is_named_and_leaves_nothing(
    cache: Cache, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match="folder: cannot be written: Is a directory"):
        export_cache(cache.folder, tmp_path / "folder")
    assert sorted(tmp_path.iterdir()) == before


def test_an_archive_cut_short_anywhere_is_one_error_and_what_was_taken_is_right(
    cache: Cache, other: Cache, tmp_path: Path
) -> None:
    export_cache(cache.folder, tmp_path / "x.tar")
    data = (tmp_path / "x.tar").read_bytes()
    with tarfile.open(tmp_path / "x.tar") as opened:
        end = max(member.offset_data + member.size for member in opened)
    whole = end + -end % 512
    for size in [*range(0, whole, 512), *range(100, end, 700)]:
        (tmp_path / "x.tar").write_bytes(data[:size])
        with pytest.raises(CacheError, match=r"x\.tar: "):
            import_cache(other.folder, tmp_path / "x.tar")
        assert verify(other.folder).damages == ()
    (tmp_path / "x.tar").write_bytes(data[:whole])
    whole_again = import_cache(other.folder, tmp_path / "x.tar")
    assert whole_again.known + whole_again.layers == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no archive of a cache"),
        (b"hello", "no archive of a cache"),
        (b"x" * 10240, "no archive of a cache"),
        (bytes(10240), "no archive of a cache"),
    ],
)
def test_what_is_no_archive_is_told_with_what_writes_one(
    other: Cache, tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(CacheError, match=words) as caught:
        import_cache(other.folder, tmp_path / "x.tar")
    assert caught.value.hint == "Write one with `imagesmith cache export`."
    assert not other.folder.exists()


def test_a_missing_archive_is_named(other: Cache, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"none\.tar: No such file"):
        import_cache(other.folder, tmp_path / "none.tar")


def _changed(archive: Path, change: Change) -> None:
    """The archive with other files in it, the list first."""
    with tarfile.open(archive) as opened:
        held = {
            member.name: file.read() for member in opened if (file := opened.extractfile(member))
        }
    change(held)
    with tarfile.open(archive, "w") as written:
        for name, data in held.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            written.addfile(info, io.BytesIO(data))


def _listed(held: dict[str, bytes], **more: object) -> None:
    held["archive.json"] = json.dumps(json.loads(held["archive.json"]) | more).encode()


def _flip(held: dict[str, bytes], folder: str) -> None:
    name = next(name for name in held if name.startswith(folder))
    held[name] = held[name][:-9] + bytes([held[name][-9] ^ 1]) + held[name][-8:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: held.update({"../../evil": b"x"}), r"\.\./\.\./evil: this is nothing"),
        (lambda held: held.update({"/etc/evil": b"x"}), "etc/evil: this is nothing"),
        (lambda held: held.update({"blobs/sha256/evil": b"x"}), "evil: this is nothing"),
        (lambda held: _flip(held, "blobs/"), "blob sha256:.* is damaged"),
        (lambda held: _flip(held, "layers/"), "damaged, or of another version"),
        (lambda held: held.update({list(held)[1]: b"x"}), "1 bytes instead of"),
        (lambda held: held.pop(list(held)[1]), "its blob is not in the archive"),
        (lambda held: held.pop(list(held)[-1]), "cut short: 1 of its files are missing"),
        (lambda held: held.pop("archive.json"), "no archive of a cache"),
        (lambda held: held.update({"archive.json": b"{"}), "not JSON"),
        (lambda held: _listed(held, version=2), "version 2, and only version 1 is known"),
        (lambda held: _listed(held, blobs=[]), "should be a JSON object"),
        (lambda held: _listed(held, layers={"../../evil": 1}), "no name that a cache has"),
    ],
)
def test_an_archive_that_was_tampered_with_is_refused_and_the_cache_stays_whole(
    cache: Cache, other: Cache, tmp_path: Path, change: Change, words: str
) -> None:
    export_cache(cache.folder, tmp_path / "x.tar")
    _changed(tmp_path / "x.tar", change)
    with pytest.raises(CacheError, match=words):
        import_cache(other.folder, tmp_path / "x.tar")
    assert verify(other.folder).damages == ()
    assert {path.name for path in tmp_path.iterdir()} <= {
        "cache",
        "cache spare",
        "other",
        "other spare",
        "x.tar",
    }


def test_an_entry_that_lies_about_its_blob_is_refused(
    cache: Cache, other: Cache, tmp_path: Path
) -> None:
    (one, two) = fill(cache, "one", "two")
    cache.keep(replace(one, diff_id=two.diff_id))
    export_cache(cache.folder, tmp_path / "x.tar")
    with pytest.raises(CacheError, match="its blob holds something else"):
        import_cache(other.folder, tmp_path / "x.tar")
    assert verify(other.folder).damages == ()


def test_a_link_in_an_archive_is_refused(cache: Cache, other: Cache, tmp_path: Path) -> None:
    export_cache(cache.folder, tmp_path / "x.tar")
    with tarfile.open(tmp_path / "x.tar") as opened:
        listed = opened.extractfile("archive.json")
        assert listed
        data = listed.read()
    with tarfile.open(tmp_path / "x.tar", "w") as written:
        info = tarfile.TarInfo("archive.json")
        info.size = len(data)
        written.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo(f"blobs/sha256/{next(iter(json.loads(data)['blobs']))}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        written.addfile(link)
    with pytest.raises(CacheError, match="this is nothing that a cache holds"):
        import_cache(other.folder, tmp_path / "x.tar")
