"""A recipe that was found valid is not validated again, unless something may be different."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from imagesmith.errors import RecipeError
from imagesmith.recipe import Recipe
from imagesmith.recipe.load import load

WHOLE = """\
version: 1
name: team/shop
release: {path: rel}
base: {minimal: {sysroot: ./rootfs}}
cmd: [bin/shop, eval, "Shop.go(1)"]
env: {Z: last, A: first, B: x}
ports: [4000, 53/udp]
user: 1000:0
labels: {z: ü, a: ""}
layers: {max: 8, strip: never, canonical: false, own: [shop]}
pet: {volume: /v, appups: appups, versioning: auto}
probe: {http: /health, port: 4000}
stop_timeout: 7
"""
OTHERS = [
    "version: 1\nreleases: {web: {path: rel}, all: {path: rel.tar.gz}}\nprobe: {tcp: 1}",
    "version: 1\nsource: {path: ., command: c, builder: {dockerfile: D, target: b}}\nbase: a:1",
    "version: 1\nsource: {dockerfile: D, path: /app}\nbase: {dockerfile: D, packages: [a]}",
    "version: 1\nrelease: {path: rel}\nbase: oci:base.oci\nprobe: {websocket: /, port: 1}",
    "version: 1\nrelease: {path: rel}\nbase: {minimal: {sysroot: oci:base.oci}}\nprobe: {rpc: x}",
    "version: 1\nrelease: {path: rel}\nbase: {minimal: {sysroot: debian:12}}",
]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe file among all that a recipe may name."""
    folder = tmp_path / "project"
    for name in ("rel", "rootfs", "base.oci", "appups"):
        (folder / name).mkdir(parents=True)
    for name in ("D", "rel.tar.gz"):
        (folder / name).touch()
    path = folder / "r.yml"
    path.write_text(WHOLE)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


class ReadInFull(Exception):
    """What a recipe raises that is not read from the cache."""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], Recipe]:
    """Loads a recipe from the cache, or raises ReadInFull."""

    def refuse(*_: object) -> NoReturn:
        raise ReadInFull

    def read(path: Path, cache: Path) -> Recipe:
        with monkeypatch.context() as patched:
            patched.setattr("imagesmith.recipe.parse.validate", refuse)
            return load(path, cache)

    return read


@pytest.mark.parametrize("text", [WHOLE, *OTHERS])
def test_what_is_kept_is_the_recipe_as_it_was_read(
    text: str, recipe: Path, cache: Path, kept: Callable[[Path, Path], Recipe]
) -> None:
    recipe.write_text(text)
    first = load(recipe, cache)
    again = kept(recipe, cache)
    assert again == first == load(recipe)
    assert repr(again) == repr(first)  # in which the order of names shows


def test_a_kept_recipe_is_read_without_yaml_and_pydantic(recipe: Path, cache: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from imagesmith.recipe.load import load
        load(Path(sys.argv[1]), Path(sys.argv[2]))
        print("yaml" in sys.modules, "pydantic" in sys.modules)"""
    command = [sys.executable, "-c", code, str(recipe), str(cache)]

    def run() -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert [run(), run()] == ["True True\n", "False False\n"]


def test_another_text_or_folder_is_another_recipe(
    recipe: Path, cache: Path, kept: Callable[[Path, Path], Recipe]
) -> None:
    load(recipe, cache)
    beside = recipe.parent.parent / "other"
    beside.symlink_to(recipe.parent)
    with pytest.raises(ReadInFull):
        kept(beside / "r.yml", cache)
    recipe.write_text(WHOLE + "\n")
    with pytest.raises(ReadInFull):
        kept(recipe, cache)


def test_a_file_of_another_name_with_the_same_text_is_the_same_recipe(
    recipe: Path, cache: Path, kept: Callable[[Path, Path], Recipe]
) -> None:
    first = load(recipe, cache)
    assert kept(recipe.rename(recipe.with_name("s.yml")), cache) == first


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (WHOLE, "rel"), (WHOLE, "rootfs"), (OTHERS[0], "rel.tar.gz"), (OTHERS[1], "D"),
        (OTHERS[2], "D"), (OTHERS[3], "base.oci"), (OTHERS[4], "base.oci"),
    ],
)  # fmt: skip
def test_what_is_no_longer_there_is_told_as_if_nothing_were_kept(
    text: str, name: str, recipe: Path, cache: Path
) -> None:
    recipe.write_text(text)
    load(recipe, cache)
    (recipe.parent / name).rename(recipe.parent / "gone")
    with pytest.raises(RecipeError) as plain:
        load(recipe)
    with pytest.raises(RecipeError) as caught:
        load(recipe, cache)
    assert caught.value.problems == plain.value.problems
    assert f"{recipe}:" in caught.value.problems[0]


def test_what_is_there_now_and_should_not_be_is_told(recipe: Path, cache: Path) -> None:
    (recipe.parent / "appups").rmdir()
    load(recipe, cache)
    (recipe.parent / "appups").touch()
    with pytest.raises(RecipeError, match=r"pet\.appups: .* is a file; name the folder"):
        load(recipe, cache)
    recipe.write_text(OTHERS[5])
    load(recipe, cache)
    (recipe.parent / "debian:12").mkdir()
    with pytest.raises(RecipeError, match=r"is read as an image's name"):
        load(recipe, cache)


def test_a_path_by_way_of_a_link_is_where_the_link_leads_now(recipe: Path, cache: Path) -> None:
    folder = recipe.parent
    (folder / "rel").rename(folder / "old")
    (folder / "new").mkdir()
    (folder / "rel").symlink_to("old")
    first = load(recipe, cache).release
    (folder / "rel").unlink()
    (folder / "rel").symlink_to("new")
    then = load(recipe, cache).release
    assert first
    assert then
    assert (first.path, then.path) == (folder / "old", folder / "new")


def test_a_damaged_memory_is_no_failure(
    recipe: Path, cache: Path, kept: Callable[[Path, Path], Recipe]
) -> None:
    first = load(recipe, cache)
    (memory,) = (cache / "memos").iterdir()
    whole = memory.read_bytes()
    for damaged in (b"", whole[:-1], whole.replace(b"shop", b"cart"), b"\xff\n{}"):
        memory.write_bytes(damaged)
        with pytest.raises(ReadInFull):
            kept(recipe, cache)
        assert load(recipe, cache) == first
        assert kept(recipe, cache) == first


def test_another_version_of_the_program_reads_in_full(
    recipe: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(recipe, cache)
    monkeypatch.setattr("imagesmith.memo.__version__", "0.0.0")
    load(recipe, cache)
    assert len(list((cache / "memos").iterdir())) == 2


def test_a_recipe_with_mistakes_is_not_kept(recipe: Path, cache: Path) -> None:
    recipe.write_text(WHOLE.replace("max: 8", "max: 7"))
    for _ in range(2):
        with pytest.raises(RecipeError, match=r"r\.yml:10:15: layers\.max: wants a whole number"):
            load(recipe, cache)
    assert not cache.exists()


def test_a_folder_that_is_no_utf8_is_not_kept_and_no_failure(recipe: Path, cache: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(recipe.parent) + b"\xff"))
    recipe.parent.rename(folder)
    found = load(folder / "r.yml", cache).release
    assert found
    assert found.path == folder / "rel"
    assert load(folder / "r.yml", cache).release == found
