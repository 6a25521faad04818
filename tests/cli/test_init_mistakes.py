"""`imagesmith init` where something is wrong: one clear error, and nothing written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.cli.init import init
from imagesmith.errors import UsageError
from imagesmith.recipe import Recipe
from tests.cli.conftest import Smith
from tests.cli.test_init import MIX_NEW, PHOENIX, umbrella, with_releases, written


def _both(here: Path) -> None:
    (here / "mix.exs").write_text(MIX_NEW)
    (here / "rebar.config").touch()


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda here: None, ".: there is nothing to begin with"),
    "both": (_both, "there are both mix.exs and rebar.config"),
    "a binary": (lambda here: (here / "mix.exs").write_bytes(os.urandom(99) + b"\0"), "no text"),
    "a binary config": (lambda here: (here / "rebar.config").write_bytes(bytes(9)), "no text"),
    "a folder": (lambda here: (here / "mix.exs").mkdir(), "mix.exs: this is no file"),
    "a fifo": (lambda here: os.mkfifo(here / "mix.exs"), "mix.exs: this is no file"),
    "a loop": (lambda here: (here / "mix.exs").symlink_to("mix.exs"), "mix.exs: this is no file"),
    "a large file": (lambda here: (here / "mix.exs").write_bytes(b" " * 2_000_000), "1 MiB"),
    "no project": (lambda here: (here / "mix.exs").write_text("1 + 1"), "no `def project do"),
    "not closed": (lambda here: (here / "mix.exs").write_text("a do\n"), "mix.exs:1: `do`"),
    "an umbrella": (
        lambda here: (here / "mix.exs").write_text(umbrella('version: "1"')),
        "this umbrella has no `releases:`",
    ),
    "an umbrella's code": (
        lambda here: (here / "mix.exs").write_text(umbrella("releases: r(1)")),
        "its releases are made by code, which is not run, and none is built yet",
    ),
    "a wrong name": (
        lambda here: (here / "mix.exs").write_text(with_releases('releases: ["a: b": []]')),
        "the release 'a: b'",
    ),
    "no terms": (lambda here: (here / "rebar.config").write_text("{relx,"), "rebar.config:1:"),
    "no relx": (lambda here: (here / "rebar.config").write_text("{deps, []}."), "no release in it"),
    "a path too long": (
        lambda here: (here / "mix.exs").write_text(
            with_releases(f'releases: [a: [path: "{"x" * 5000}"]]')
        ),
        "no recipe can hold this path",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_is_one_clear_error(smith: Smith, here: Path, mistake: str) -> None:
    prepare, said = MISTAKES[mistake]
    prepare(here)
    before = sorted(here.iterdir())
    done = smith("init")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.count("imagesmith: ") == 1
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 2, "nowhere: there is no such folder"),
        (["mix.exs"], 2, "mix.exs: this is no folder"),
        (["-o", "a/b/c.yml"], 1, "a/b/c.yml: cannot be written: No such file or directory"),
        (["-o", "."], 2, ".: this is a folder"),
        (["-o", ""], 2, ".: this is a folder"),
    ],
)
def test_wrong_arguments(
    smith: Smith, here: Path, arguments: list[str], code: int, said: str
) -> None:
    (here / "mix.exs").write_text(MIX_NEW)
    done = smith("init", *arguments)
    assert (done.code, done.stdout) == (code, "")
    assert said in done.stderr
    assert [path.name for path in here.iterdir()] == ["mix.exs"]


def test_a_file_that_cannot_be_read(smith: Smith, here: Path) -> None:
    (here / "mix.exs").symlink_to("/proc/self/mem")  # not even by root
    done = smith("init")
    assert done.code == 2
    assert "mix.exs: cannot be read: Input/output error" in done.stderr


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters='"\\#\0', exclude_categories=["Cs"]), max_size=20)


def _init(text: bytes) -> Recipe | None:
    """What init makes of a mix.exs, in a folder of its own; None for a clear error."""
    here = Path(tempfile.mkdtemp())
    try:
        (here / "mix.exs").write_bytes(text)
        try:
            init(here)
        except UsageError as error:
            assert error.message.isprintable()
            assert not (here / "imagesmith.yml").exists()
            return None
        return written(here)
    finally:
        shutil.rmtree(here)


@given(st.dictionaries(NAMES, TEXTS, max_size=3), NAMES)
def test_every_name_and_path_gives_a_recipe_that_loads(releases: dict[str, str], app: str) -> None:
    options = ", ".join(
        f'{name}: [path: "{place}"]' if place else f"{name}: []" for name, place in releases.items()
    )
    # A path out of the folder would have to be made there.
    if any(".." in place or place.startswith("/") for place in releases.values()):
        return
    text = f"defmodule M do\n def project, do: [app: :{app}, releases: [{options}]]\nend"
    recipe = _init(text.encode())
    assert recipe is not None
    assert len(recipe.releases or [0]) == max(1, len(releases))


@given(st.binary(max_size=60), st.integers(0, len(PHOENIX)), st.integers(0, 60))
def test_a_damaged_mix_exs_gives_a_recipe_or_one_clear_error(
    noise: bytes, at: int, cut: int
) -> None:
    text = PHOENIX.encode()
    _init(text[:at] + noise + text[at + cut :])
