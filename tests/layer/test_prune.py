"""What a cache holds, and what goes first when room is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesmith.layer.cache import Cache
from imagesmith.layer.contents import MEMO, contents
from imagesmith.layer.prune import prune
from imagesmith.layer.running import running, running_since
from imagesmith.memo import MEMOS, Memo
from tests.layer.caches import fill, key_of, made_cache, tar_of


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Three layers: `old` was used an hour ago, `older` two, `oldest` three."""
    made = made_cache(tmp_path / "cache")
    now = time.time()
    for hours, text in enumerate(("old", "older", "oldest"), 1):
        fill(made, text, used=now - hours * 3600)
    return made


def names(cache: Cache) -> list[str]:
    return [item.name for item in contents(cache.folder)]


def total(cache: Cache) -> int:
    return sum(path.stat().st_size for path in cache.folder.rglob("*") if path.is_file())


def test_what_is_there_is_listed_the_least_recently_used_first(cache: Cache) -> None:
    items = contents(cache.folder)
    assert [(item.group, item.name) for item in items] == [
        ("own", "oldest"),
        ("own", "older"),
        ("own", "old"),
    ]
    assert sum(item.size for item in items) == total(cache)
    assert [entry.key for item in items for entry in item.entries] == [
        key_of("oldest"),
        key_of("older"),
        key_of("old"),
    ]


def test_blobs_that_no_entry_leads_to_bases_and_nonsense_are_listed_too(cache: Cache) -> None:
    (entry,) = fill(cache, "forgotten")
    cache.entries.path(entry.key).unlink()
    cache.entries.path(key_of("nonsense")).parent.mkdir(exist_ok=True)
    cache.entries.path(key_of("nonsense")).write_text("?")
    (cache.folder / "bases/one/blobs").mkdir(parents=True)
    (cache.folder / "bases/one/blobs/x").write_bytes(bytes(100))
    by_group = {item.group: item for item in contents(cache.folder)}
    assert by_group["blob"].digest == entry.digest
    assert by_group["unreadable"].size == 1
    assert by_group["exported base"].size >= 100


def test_nothing_is_listed_where_nothing_is(tmp_path: Path) -> None:
    assert contents(tmp_path / "cache") == []
    assert prune(tmp_path / "cache", max_size=0).removed == ()


def test_what_was_not_used_for_a_time_is_removed_with_its_blob(cache: Cache) -> None:
    pruned = prune(cache.folder, unused_since=time.time() - 5400)
    assert [item.name for item in pruned.removed] == ["oldest", "older"]
    assert names(cache) == ["old"]
    assert pruned.left == total(cache)


def test_the_least_recently_used_goes_until_the_rest_is_small_enough(cache: Cache) -> None:
    sizes = [item.size for item in contents(cache.folder)]
    pruned = prune(cache.folder, max_size=sum(sizes[1:]))
    assert [item.name for item in pruned.removed] == ["oldest"]
    assert pruned.left == sum(sizes[1:]) == total(cache)
    assert prune(cache.folder, max_size=sum(sizes[1:])).removed == ()
    assert [item.name for item in prune(cache.folder, max_size=0).removed] == ["older", "old"]
    assert total(cache) == 0


def test_finding_a_layer_makes_it_the_last_to_go(cache: Cache) -> None:
    assert cache.find(key_of("oldest"))
    assert names(cache) == ["older", "old", "oldest"]


def test_a_blob_goes_with_the_last_use_of_any_of_its_entries(cache: Cache) -> None:
    cache.write(key_of("twin"), tar_of("oldest"), "own twin")
    pruned = prune(cache.folder, unused_since=time.time() - 5400)
    assert [item.name for item in pruned.removed] == ["older"]
    assert cache.find(key_of("oldest"))


def test_exported_bases_are_pruned_by_their_last_use(cache: Cache) -> None:
    base = cache.folder / "bases/one"
    (base / "blobs").mkdir(parents=True)
    os.utime(base, (1, 1))
    assert prune(cache.folder, unused_since=2).removed[0].name == "one"
    assert not base.exists()


def test_what_was_only_found_out_is_pruned_as_well(cache: Cache) -> None:
    memo = Memo(cache.folder / MEMOS)
    memo.keep({"answer": 42}, "question")
    assert memo.recall("question") == {"answer": 42}
    (kept,) = (cache.folder / MEMOS).iterdir()
    os.utime(kept, (1, 1))
    assert prune(cache.folder, unused_since=2).removed[0].group == MEMO
    assert memo.recall("question") is None


def test_what_a_running_build_has_found_or_written_stays(cache: Cache) -> None:
    with running(cache.folder):
        assert cache.find(key_of("oldest"))
        fill(cache, "new")
        pruned = prune(cache.folder, max_size=0)
        assert [item.name for item in pruned.removed] == ["older", "old"]
        assert pruned.in_use == pruned.left > 0
        assert set(names(cache)) == {"oldest", "new"}
    assert len(prune(cache.folder, max_size=0).removed) == 2


def test_the_oldest_of_several_builds_counts(cache: Cache) -> None:
    with running(cache.folder):
        (first,) = (cache.folder / "running").iterdir()
        os.utime(first, (time.time() - 5400,) * 2)
        with running(cache.folder):
            assert running_since(cache.folder) == first.stat().st_mtime
            assert [item.name for item in prune(cache.folder, max_size=0).removed] == [
                "oldest",
                "older",
            ]
    assert running_since(cache.folder) is None


BUILD = """
import sys, time
from pathlib import Path
from imagesmith.layer.running import running
with running(Path(sys.argv[1])):
    print("running", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def build(cache: Cache) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the cache."""
    command = [sys.executable, "-c", BUILD, str(cache.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            yield process
        finally:
            process.kill()


def test_a_build_that_was_killed_holds_nothing(cache: Cache, build: subprocess.Popen[str]) -> None:
    fill(cache, "new")
    assert "new" not in [item.name for item in prune(cache.folder, max_size=0).removed]
    build.send_signal(signal.SIGKILL)
    build.wait()
    assert [item.name for item in prune(cache.folder, max_size=0).removed] == ["new"]
    assert list((cache.folder / "running").iterdir()) == []


def test_where_nothing_can_be_written_a_build_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with running(tmp_path / "cache"):
        assert running_since(tmp_path / "cache") is None
