"""`imagesmith build` with the layer cache, and `imagesmith cache`."""

from __future__ import annotations

import json
import os
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import Smith
from tests.trees import make_release


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The folder that `here` names as the cache."""
    return tmp_path / "cache"


def found(smith: Smith, *arguments: str | Path) -> list[str | None]:
    """What a build says of where each of its layers was found."""
    done = smith("build", *arguments, "--progress", "json")
    assert done.code == 0, done.stderr
    said = [json.loads(line) for line in done.stderr.splitlines()]
    return [line["found"] for line in said if "layer" in line]


def stats(smith: Smith) -> dict[str, int]:
    done = smith("cache", "stats", "--json")
    return {key: json.loads(done.stdout)[key] for key in ("items", "entries", "bytes")}


def test_the_second_build_finds_every_layer_and_is_the_same(smith: Smith, release: Path) -> None:
    first = smith("build", release)
    assert "written" in first.stderr
    second = smith("build", release)
    assert second.stdout == first.stdout
    assert "found: cache" in second.stderr
    assert "written" not in second.stderr
    assert "found: cache" in smith("build", release, "--progress", "tty").stderr


def test_another_release_finds_what_it_shares(smith: Smith, release: Path, tmp_path: Path) -> None:
    assert set(found(smith, release)) == {None}
    worker = make_release(tmp_path / "worker", name="worker")
    assert Counter(found(smith, worker))[None] == 1  # its own bin/ and releases/


def test_a_copied_release_finds_everything(smith: Smith, release: Path, tmp_path: Path) -> None:
    found(smith, release)
    assert set(found(smith, make_release(tmp_path / "elsewhere/rel"))) == {"cache"}


def test_a_cache_that_was_emptied_or_damaged_changes_no_digest(
    smith: Smith, release: Path, cache: Path
) -> None:
    digest = smith("build", release).stdout
    for number, path in enumerate(sorted(cache.rglob("*/*/*"))):
        if path.is_file():
            data = path.read_bytes()
            path.write_bytes((b"", data[:-1], b"x" + data[1:])[number % 3])
    assert (
        smith("build", release, "-o", "type=oci,dest=two.tar").stdout.partition("@")[2]
        == (digest.partition("@")[2])
    )
    assert smith("cache", "verify").code == 0


def test_an_edit_in_a_layout_does_not_reach_into_the_cache(
    smith: Smith, release: Path, here: Path
) -> None:
    smith("build", release)
    for path in (here / "shop.oci/blobs/sha256").iterdir():
        with path.open("r+b") as file:
            file.write(b"edited in place")
    assert smith("cache", "verify").stdout.endswith("; 0 damaged\n")


def test_cache_dir_says_where_and_wins_over_the_variable(
    smith: Smith, release: Path, cache: Path, here: Path
) -> None:
    smith("build", release, "--cache-dir", "mine")
    assert (here / "mine/layers").is_dir()
    assert not cache.exists()


def test_without_either_it_lies_in_the_user_s_cache_folder(
    smith: Smith, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMAGESMITH_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    smith("build", release)
    assert (tmp_path / "xdg/imagesmith/layers").is_dir()


def test_a_cache_that_cannot_be_written_is_noted_once_and_the_image_is_the_same(
    smith: Smith, release: Path, cache: Path, tmp_path: Path
) -> None:
    digest = smith("build", release).stdout
    (tmp_path / "file").write_text("")
    done = smith("build", release, "--cache-dir", tmp_path / "file")
    assert done.code == 0
    assert done.stdout == digest
    assert done.stderr.count("layers are not kept for the next build") == 1
    assert f"{tmp_path}/file/blobs: a blob cannot be written: " in done.stderr


def test_nothing_but_the_cache_is_left_and_no_temporary_is_in_it(
    smith: Smith, release: Path, cache: Path
) -> None:
    smith("build", release)
    assert {path.name for path in cache.iterdir()} == {"layers", "blobs", "memos", "running"}
    assert list((cache / "blobs/tmp").iterdir()) == []
    assert list((cache / "running").iterdir()) == []


def test_ls_lists_layers_by_group_and_name(smith: Smith, release: Path) -> None:
    digests = [
        json.loads(line)["digest"]
        for line in smith("build", release, "--progress", "json").stderr.splitlines()
        if "layer" in json.loads(line)
    ]
    listed = json.loads(smith("cache", "ls", "--json").stdout)
    assert sorted(item["digest"] for item in listed) == sorted(set(digests))
    shop = next(item for item in listed if (item["group"], item["name"]) == ("own", "shop"))
    assert shop["entries"][0]["diff_id"].startswith("sha256:")
    table = smith("cache", "ls").stdout
    assert "own" in table
    assert "just now" in table


def test_stats_count_and_name_the_folder(smith: Smith, release: Path, cache: Path) -> None:
    assert stats(smith) == {"items": 0, "entries": 0, "bytes": 0}
    smith("build", release)
    assert stats(smith)["bytes"] == sum(
        path.stat().st_size for path in cache.rglob("*") if path.is_file()
    )
    done = smith("cache", "stats")
    assert "protocols" in done.stdout
    assert done.stdout.splitlines()[-1] == str(cache)


def test_verify_finds_damage_with_exit_code_1_and_repairs_it(
    smith: Smith, release: Path, cache: Path
) -> None:
    smith("build", release)
    assert smith("cache", "verify").code == 0
    blob = next((cache / "blobs/sha256").iterdir())
    blob.write_bytes(b"")
    done = smith("cache", "verify")
    assert done.code == 1
    assert done.stdout.startswith(f"{blob}: damaged: it is ")
    assert done.stdout.endswith("; 1 damaged\n")
    report = json.loads(smith("cache", "verify", "--json").stdout)
    assert [item["path"] for item in report["damages"]] == [str(blob)]
    assert smith("cache", "verify", "--repair").code == 1
    assert not blob.exists()
    assert smith("cache", "verify").code == 0


def test_prune_takes_what_is_old_or_too_much(smith: Smith, release: Path, cache: Path) -> None:
    smith("build", release)
    before = stats(smith)
    assert smith("cache", "prune", "--older-than", "30d").stdout.startswith("0.0 kB removed")
    assert stats(smith) == before
    for path in cache.rglob("*/*/*"):
        os.utime(path, (1, 1))
    found(smith, release)
    assert smith("cache", "prune", "--older-than", "30d").stdout.startswith("0.0 kB removed")
    done = smith("cache", "prune", "--max-size", "0", "--json")
    assert json.loads(done.stdout)["left"] == 0
    assert stats(smith)["items"] == 0
    assert set(found(smith, release)) == {None}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing says what to remove"),
        (("--max-size", "much"), "--max-size much: this is no size"),
        (("--max-size", "-1"), "--max-size -1: this is no size"),
        (("--older-than", "30"), "--older-than 30: this is no time"),
    ],
)
def test_a_prune_that_cannot_be_meant_is_refused(
    smith: Smith, release: Path, arguments: tuple[str, ...], words: str
) -> None:
    smith("build", release)
    done = smith("cache", "prune", *arguments)
    assert done.code == 2
    assert words in done.stderr
    assert stats(smith)["items"] > 0


def test_an_archive_fills_the_cache_of_another_machine(
    smith: Smith, release: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smith("build", release)
    assert "layers" in smith("cache", "export", "layers.tar").stdout
    monkeypatch.setenv("IMAGESMITH_CACHE_DIR", str(here / "empty"))
    assert " layers taken, " in smith("cache", "import", "layers.tar").stdout
    assert set(found(smith, release)) == {"cache"}
    assert "0 layers taken" in smith("cache", "import", "layers.tar").stdout


def test_an_archive_of_recipes_holds_their_layers_and_no_others(
    smith: Smith, release: Path, here: Path, tmp_path: Path
) -> None:
    smith("build", make_release(tmp_path / "other", name="other"))
    (here / "shop.yml").write_text(f"version: 1\nrelease: {{path: {release}}}\n")
    assert smith("cache", "export", "layers.tar", "shop.yml").code == 0
    with tarfile.open(here / "layers.tar") as archive:
        names = archive.getnames()
    keys = {name.rpartition("/")[2] for name in names if name.count("/") == 2 and "layers" in name}
    listed = json.loads(smith("cache", "ls", "--json").stdout)
    assert len(listed) == len(keys) + 1  # the other release's own files
    assert keys < {entry["key"] for item in listed for entry in item["entries"]}


def test_importing_what_is_no_archive_fails_in_words(smith: Smith, here: Path) -> None:
    (here / "x.tar").write_text("hello")
    done = smith("cache", "import", "x.tar")
    assert done.code == 1
    assert done.stderr.startswith("imagesmith: x.tar: this is no archive of a cache")
