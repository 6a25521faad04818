"""Where a cache can lie: full, read-only, foreign and impossible places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache.builds import (
    Built,
    Variant,
    build,
    build_command,
    cache,
    files_of,
    run,
    temporaries,
    tree,
)
from tests.cache.mounts import Mounts, mounts

pytestmark = pytest.mark.release

WITHOUT_POWER = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
"""Runs a command as somebody whom modes and owners of files stop, as they do not stop root."""

UNKNOWN = ("unshare", "--user", "--map-user=12345", "--")
"""Runs a command as a user whom no passwd entry names, as `docker run --user` can."""


@pytest.fixture
def own_mounts() -> Iterator[Mounts]:
    with mounts() as made:
        yield made


def one_sentence(built: Built) -> str:
    """What a failed command said of it; fails if that is more than one line and a hint."""
    assert built.code == 1, built.stderr
    said = [line for line in built.stderr.splitlines() if line.startswith("imagesmith: /")]
    assert len(said) == 1, built.stderr
    return said[0]


@pytest.mark.parametrize("room", ["size=64k", "size=3m", "nr_inodes=24"])
def test_a_full_disk_under_the_cache_costs_the_cache_and_not_the_build(
    web: Variant, own_mounts: Mounts, tmp_path: Path, room: str
) -> None:
    store, out = tmp_path / "cache", tmp_path / "out.oci"
    own_mounts.tmpfs(store, room)
    full = build(web.release, out, store, prefix=own_mounts.prefix)
    web.check(full, out)
    verified = cache(store, "verify", prefix=own_mounts.prefix)
    assert verified.code == 0, verified.stdout + verified.stderr
    assert temporaries(own_mounts.inside(store)) == []
    own_mounts.remount(store, "size=64m,nr_inodes=0")
    web.check(build(web.release, out, store, prefix=own_mounts.prefix), out)
    assert cache(store, "verify", prefix=own_mounts.prefix).code == 0


@pytest.mark.parametrize("room", ["size=3m", "nr_inodes=6"])
def test_a_full_disk_under_the_output_is_said_and_leaves_nothing_there(
    web: Variant, copied: Path, own_mounts: Mounts, tmp_path: Path, room: str
) -> None:
    place = tmp_path / "disk"
    own_mounts.tmpfs(place, room)
    full = build(web.release, place / "out.oci", copied, prefix=own_mounts.prefix)
    assert "No space left on device" in one_sentence(full)
    assert not own_mounts.inside(place / "out.oci/index.json").exists()
    assert files_of(own_mounts.inside(place)) == []
    own_mounts.remount(place, "size=64m,nr_inodes=0")
    again = build(web.release, place / "out.oci", copied, prefix=own_mounts.prefix)
    web.check(again, own_mounts.inside(place / "out.oci"))
    assert cache(copied, "verify").code == 0


def test_cache_output_and_scratch_on_one_full_disk(
    web: Variant, own_mounts: Mounts, tmp_path: Path
) -> None:
    place = tmp_path / "disk"
    own_mounts.tmpfs(place, "size=6m")
    env = {**os.environ, "TMPDIR": str(place)}
    full = build(web.release, place / "out.oci", place / "cache", prefix=own_mounts.prefix, env=env)
    assert "No space left on device" in one_sentence(full)
    own_mounts.remount(place, "size=64m")
    again = build(
        web.release, place / "out.oci", place / "cache", prefix=own_mounts.prefix, env=env
    )
    web.check(again, own_mounts.inside(place / "out.oci"))
    assert cache(place / "cache", "verify", prefix=own_mounts.prefix).code == 0


def test_a_read_only_cache_gives_what_it_has(
    variants: tuple[Variant, ...], web: Variant, own_mounts: Mounts, tmp_path: Path
) -> None:
    store = tmp_path / "cache"
    web.check(build(web.release, tmp_path / "out.oci", store), tmp_path / "out.oci")
    before = tree(store)
    own_mounts.read_only(store)
    hit = build(web.release, tmp_path / "out.oci", store, prefix=own_mounts.prefix)
    web.check(hit, tmp_path / "out.oci")
    assert hit.written == []
    for variant in variants[1::3]:
        out = tmp_path / f"{variant.name}.oci"
        variant.check(build(variant.release, out, store, prefix=own_mounts.prefix), out)
    assert tree(store) == before
    assert cache(store, "verify", prefix=own_mounts.prefix).code == 0


def test_a_cache_of_another_user_gives_what_it_has(
    web: Variant, copied: Path, tmp_path: Path
) -> None:
    _give_away(copied)
    before = tree(copied)
    built = build(web.release, tmp_path / "out.oci", copied, prefix=WITHOUT_POWER)
    web.check(built, tmp_path / "out.oci")
    assert built.written == []
    assert tree(copied) == before


def test_a_cache_that_may_not_be_read_costs_the_cache_and_not_the_build(
    web: Variant, copied: Path, tmp_path: Path
) -> None:
    _give_away(copied)
    copied.chmod(0o700)
    built = build(web.release, tmp_path / "out.oci", copied, prefix=WITHOUT_POWER)
    web.check(built, tmp_path / "out.oci")
    assert f"{copied}" in built.stderr


def test_an_output_on_another_file_system_is_right(
    web: Variant, copied: Path, own_mounts: Mounts, tmp_path: Path
) -> None:
    place = tmp_path / "disk"
    own_mounts.tmpfs(place, "size=64m")
    built = build(web.release, place / "out.oci", copied, prefix=own_mounts.prefix)
    web.check(built, own_mounts.inside(place / "out.oci"))
    assert built.written == []


def test_who_changes_an_output_does_not_change_the_cache(
    web: Variant, copied: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.oci"
    web.check(build(web.release, out, copied), out)
    for blob in (out / "blobs/sha256").iterdir():
        blob.chmod(0o644)
        with blob.open("r+b") as file:
            file.write(b"changed in place")
    assert cache(copied, "verify").code == 0
    web.check(build(web.release, tmp_path / "again.oci", copied), tmp_path / "again.oci")


def test_a_cache_folder_that_cannot_be_costs_the_cache_and_not_the_build(
    web: Variant, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        built = build(web.release, tmp_path / "out.oci", place)
        web.check(built, tmp_path / "out.oci")
        assert f"{file}" in built.stderr
    assert file.read_text() == "mine"


def test_a_cache_folder_with_other_things_keeps_them(web: Variant, tmp_path: Path) -> None:
    store = tmp_path / "cache"
    (store / "blobs").mkdir(parents=True)
    (store / "thesis.txt").write_text("mine")
    (store / "blobs/thesis.txt").write_text("mine too")
    web.check(build(web.release, tmp_path / "out.oci", store), tmp_path / "out.oci")
    cache(store, "verify")
    assert cache(store, "prune", "--max-size=0").code == 0
    assert (store / "thesis.txt").read_text() == "mine"
    assert (store / "blobs/thesis.txt").read_text() == "mine too"


def test_a_user_without_a_home_can_build(web: Variant, tmp_path: Path) -> None:
    out = tmp_path / "out.oci"
    names = {"HOME", "XDG_CACHE_HOME", "IMAGESMITH_CACHE_DIR"}
    env = {name: value for name, value in os.environ.items() if name not in names}
    web.check(run([*UNKNOWN, *build_command(web.release, out)], env=env), out)


def _give_away(folder: Path) -> None:
    """Let another user own the folder, and everybody read it."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.chown(path, 65534, 65534)
