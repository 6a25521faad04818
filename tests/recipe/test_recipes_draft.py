"""A drafted recipe is a recipe, whatever the names and paths that went into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.errors import RecipeError, UsageError
from imagesmith.recipe import Recipe
from imagesmith.recipe.draft import Draft, DraftRelease, draft
from imagesmith.recipe.parse import parse


def read(facts: Draft) -> Recipe:
    """The draft as a recipe whose releases are not asked for on disk."""
    try:
        return parse(draft(facts).encode(), "r.yml", Path("/nowhere"))
    except RecipeError as error:
        # Nothing is wrong but that nothing is there; then "/" stands for each path.
        assert all("there is nothing at" in problem for problem in error.problems), error.problems
        releases = [DraftRelease(release.name, "/") for release in facts.releases]
        again = Draft(facts.origin, releases, facts.commands, facts.doubts)
        return parse(draft(again).encode(), "r.yml", Path("/nowhere"))


def one(name: str, path: str = "/") -> Draft:
    return Draft("mix.exs", [DraftRelease(name, path)], ["imagesmith build"])


@pytest.mark.parametrize(
    ("name", "image"),
    [("shop", None), ("Shop", None), ("shop_", "shop"), ("a___b", "a-b"), ("__", "release")],
)
def test_an_image_name_is_given_where_the_releases_own_would_be_refused(
    name: str, image: str | None
) -> None:
    assert read(one(name)).name == image


def test_two_releases_with_nearly_the_same_name() -> None:
    facts = Draft("x", [DraftRelease(n, "/") for n in ("a_", "a", "A", "a-2")], [])
    assert list(read(facts).releases or {}) == ["a", "a-2", "a-3", "a-2-2"]


@pytest.mark.parametrize(
    "path",
    [
        "a: b", "a #b", "'", '"', "\\", "{a}", "[a]", "- a", "*a", "&a", "!a", "|", ">", "%a", "@a",
        "`", "true", "null", "~", "1", "1.5", ".inf", "a\nb: c", "a\r", "\x85", "\u2028", "\ufeff",
        "é", "💥", "\x7f", " a ", "?", "=", "<<", "../é/b", "2024-01-01", "0x1f", "#", "a:", "\x01",
    ],
)  # fmt: skip
def test_a_path_is_read_as_it_is(path: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / path).mkdir(parents=True)
    recipe = parse(draft(one("shop", path)).encode(), "r.yml", tmp_path / "in")
    assert recipe.release is not None
    assert recipe.release.path == Path(os.path.realpath(tmp_path / "in" / path))


@pytest.mark.parametrize("path", ["caf\udce9", "a\0b", "a" * 5000])
def test_a_path_that_no_recipe_can_hold(path: str) -> None:
    with pytest.raises(UsageError, match="no recipe can hold this path"):
        draft(one("shop", path))


@given(
    names=st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True),
    path=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    texts=st.lists(st.text(), max_size=3),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
def test_whatever_goes_in_a_recipe_comes_out(
    names: list[str], path: str, texts: list[str], flags: tuple[bool, bool, bool, bool]
) -> None:
    phoenix, database, server, migrate = flags
    facts = Draft(
        "".join(texts),
        [DraftRelease(name, path) for name in names],
        texts,
        texts,
        phoenix,
        database,
        server,
        migrate,
    )
    recipe = read(facts)
    assert set(recipe.env) <= {"PHX_SERVER"}
    assert len(recipe.releases or [0]) == len(names)
    if phoenix and len(names) == 1 and "/" not in path:
        assert "ports: [4000]" in draft(facts)


def test_comments_hold_on_every_line() -> None:
    facts = Draft("a\nb: c", [DraftRelease("shop", "/")], ["x\ny: 1"], ["d\u2028e: 1\n" * 60])
    text = draft(facts)
    keys = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    assert [key.partition(":")[0] for key in keys] == ["version", "release"]
