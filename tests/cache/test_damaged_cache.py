"""A damaged cache: `cache verify` names what is damaged, and a build does without it."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from tests.cache.builds import Variant, build, cache, files_of

pytestmark = pytest.mark.release

KINDS = ("layers", "blobs")
"""The folders of a cache that hold what builds have written: entries and blobs."""

Damage = Callable[[Path, random.Random], None]


def flip_a_bit(file: Path, numbers: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
    file.write_bytes(data)


def cut_short(file: Path, numbers: random.Random) -> None:
    os.truncate(file, numbers.randrange(1, file.stat().st_size))


def make_longer(file: Path, numbers: random.Random) -> None:
    with file.open("ab") as end:
        end.write(numbers.randbytes(7))


def make_empty(file: Path, _: random.Random) -> None:
    os.truncate(file, 0)


def fill_with_zeros(file: Path, _: random.Random) -> None:
    """What a power cut leaves of a file that was renamed before its bytes were on the disk."""
    file.write_bytes(bytes(file.stat().st_size))


def put_a_folder_there(file: Path, _: random.Random) -> None:
    file.unlink()
    file.mkdir()
    (file / "something").write_text("in it")


def put_a_dangling_link_there(file: Path, _: random.Random) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def put_a_link_to_itself_there(file: Path, _: random.Random) -> None:
    file.unlink()
    file.symlink_to(file.name)


def put_a_link_to_another_file_there(file: Path, _: random.Random) -> None:
    file.unlink()
    file.symlink_to("/etc/passwd")


DAMAGES = [
    flip_a_bit,
    cut_short,
    make_longer,
    make_empty,
    fill_with_zeros,
    put_a_folder_there,
    put_a_dangling_link_there,
    put_a_link_to_itself_there,
    put_a_link_to_another_file_there,
]


def damage_all(store: Path, seed: int) -> list[Path]:
    """Damage every file of a cache, in every way: the same seed damages it in the same ways."""
    numbers = random.Random(seed)
    broken = [file for kind in KINDS for file in files_of(store / kind)]
    ways = cycle(numbers.sample(DAMAGES, len(DAMAGES)))
    for file, damage in zip(broken, ways, strict=False):
        damage(file, numbers)
    return broken


def test_verify_names_each_damaged_file_and_changes_none(web_cache: Path) -> None:
    broken = damage_all(web_cache, seed=0)
    left = files_of(web_cache)
    found = cache(web_cache, "verify")
    assert found.code == 1
    assert [file.name for file in broken if file.name not in found.stdout + found.stderr] == []
    assert files_of(web_cache) == left


@pytest.mark.parametrize("seed", range(2))
def test_a_build_does_without_what_is_damaged(
    seed: int, web: Variant, web_cache: Path, tmp_path: Path
) -> None:
    damage_all(web_cache, seed)
    web.check(build(web.release, tmp_path / "out.oci", web_cache), tmp_path / "out.oci")


@pytest.mark.parametrize("seed", range(2))
def test_a_flipped_bit_in_every_file_is_mended_by_the_next_build(
    seed: int, web: Variant, web_cache: Path, tmp_path: Path
) -> None:
    numbers = random.Random(seed)
    for file in [file for kind in KINDS for file in files_of(web_cache / kind)]:
        flip_a_bit(file, numbers)
    web.check(build(web.release, tmp_path / "out.oci", web_cache), tmp_path / "out.oci")
    verified = cache(web_cache, "verify")
    assert verified.code == 0, verified.stdout + verified.stderr


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1050))
def test_builds_do_without_what_is_damaged_whatever_it_is(
    seed: int, web: Variant, web_cache: Path, tmp_path: Path
) -> None:
    broken = damage_all(web_cache, seed)
    found = cache(web_cache, "verify")
    assert [file.name for file in broken if file.name not in found.stdout + found.stderr] == []
    web.check(build(web.release, tmp_path / "out.oci", web_cache), tmp_path / "out.oci")


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_have_changed_places_are_found_and_done_without(
    kind: str, web: Variant, web_cache: Path, tmp_path: Path
) -> None:
    # Each is whole in itself, and the answer to another question.
    files = files_of(web_cache / kind)
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, contents[1:] + contents[:1], strict=True):
        file.write_bytes(content)
    assert cache(web_cache, "verify").code == 1
    web.check(build(web.release, tmp_path / "out.oci", web_cache), tmp_path / "out.oci")


def rewrite(entry: Path, **changes: object) -> None:
    """Change fields of an entry, as somebody who can reckon its checksum."""
    document = {**json.loads(entry.read_text().splitlines()[0]), **changes}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    check = hashlib.sha256(text.encode()).hexdigest()
    entry.write_text(f"{text}\nsha256:{check}\n")


NOT_OURS: dict[str, dict[str, object]] = {
    "of a newer version": {"version": 2, "digest": {"sha512": "0" * 128}, "parts": [1, 2]},
    "of a newer version that looks like ours": {"version": 2},
    "without a number as its version": {"version": "1"},
    "of another codec": {"codec": "libdeflate-9.9.9-6", "digest": f"sha256:{'0' * 64}"},
    "of another key": {"key": "0" * 64},
    "with a size that is none": {"size": -1},
    "with a digest that is none": {"digest": "sha256:../../../etc/passwd"},
    "with a digest of another kind": {"digest": "md5:d41d8cd98f00b204e9800998ecf8427e"},
    "with a diff ID that is none": {"diffId": "../../../etc/passwd"},
    "with holders that are none": {"holders": {"a": 1}},
}


def test_entries_that_are_not_ours_are_misses(
    web: Variant, web_cache: Path, tmp_path: Path
) -> None:
    entries = files_of(web_cache / "layers")
    assert len(entries) > len(NOT_OURS)
    rewrite(entries[0], since="2.0")  # a field that we do not know is no reason
    for entry, changes in zip(entries[1:], NOT_OURS.values(), strict=False):
        rewrite(entry, **changes)
    built = build(web.release, tmp_path / "out.oci", web_cache)
    web.check(built, tmp_path / "out.oci")
    assert len(built.written) == len(NOT_OURS)
    assert cache(web_cache, "verify").code == 0


def test_an_entry_of_a_newer_version_is_no_damage(web_cache: Path) -> None:
    for entry in files_of(web_cache / "layers"):
        rewrite(entry, version=2, parts=[1, 2])
    assert cache(web_cache, "verify").code == 0


@pytest.mark.parametrize("lie", [{"diffId": f"sha256:{'0' * 64}"}, {"size": 17}])
def test_an_entry_that_lies_is_found_and_taken_away(
    lie: dict[str, object], web: Variant, web_cache: Path, tmp_path: Path
) -> None:
    # Only somebody who means it can write one: a flipped bit fails the entry's own checksum.
    entry = files_of(web_cache / "layers")[3]
    rewrite(entry, **lie)
    found = cache(web_cache, "verify", "--repair")
    assert found.code == 1
    assert entry.name in found.stdout
    web.check(build(web.release, tmp_path / "out.oci", web_cache), tmp_path / "out.oci")
