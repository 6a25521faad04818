"""The recipes that we ship: each loads, and says nothing that this version does not do."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
import yaml

from imagesmith.errors import RecipeError
from imagesmith.recipe import Recipe
from imagesmith.recipe.load import load
from imagesmith.recipe.parse import parse
from imagesmith.recipe.schema import schema

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yml"))
VALIDATOR = jsonschema.Draft202012Validator(schema())
every_recipe = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / "recipes" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    return copy


def _made(recipe: Path) -> Recipe:
    """The recipe, once there is something at each of its paths."""
    document = yaml.safe_load(recipe.read_text())
    for release in document.get("releases", {"": document.get("release")}).values():
        (recipe.parent / release["path"]).mkdir(parents=True)
    return load(recipe)


def test_the_recipes_are_there() -> None:
    assert {"phoenix.yml", "shop.yml", "umbrella.yml"} <= {path.name for path in RECIPES}


@pytest.mark.parametrize(
    "path", [p for p in RECIPES if p.name != "source.yml"], ids=lambda path: str(path.name)
)  # which builds its release itself
def test_a_recipe_loads_once_its_releases_are_built(path: Path, tmp_path: Path) -> None:
    copy = _copy(path, tmp_path)
    with pytest.raises(RecipeError, match="build the release first"):
        load(copy)
    recipe = _made(copy)
    paths = [recipe.release] if recipe.release else list((recipe.releases or {}).values())
    assert all(release.path.is_dir() for release in paths)
    assert VALIDATOR.is_valid(yaml.safe_load(path.read_text()))


@every_recipe
def test_each_example_in_a_comment_is_accepted(path: Path, tmp_path: Path) -> None:
    """Comments are tested too: every commented key, uncommented alone, gives a recipe."""
    (tmp_path / "rel").mkdir()
    for key, text in _commented(path.read_text()):
        start = "version: 1\n" if key == "release" else "version: 1\nrelease: {path: rel}\n"
        parse((start + text).encode(), f"{path.name}: {key}", tmp_path)


def _commented(text: str) -> list[tuple[str, str]]:
    """The keys that stand at the top as comments, each with what is indented below it."""
    keys = "|".join(field.name for field in fields(Recipe))
    found = re.findall(rf"^# (({keys}):.*(?:\n#   +\S.*)*)", text, re.MULTILINE)
    return [
        (key, re.sub(r"^# ?", "", block, flags=re.MULTILINE))
        for block, key in found
        # "# cmd: …" is a key; "# base: …" in a sentence would be prose, which has no such line.
    ]


def test_the_umbrellas_releases_are_those_of_the_fixture(tmp_path: Path) -> None:
    recipe = _made(_copy(ROOT / "recipes/umbrella.yml", tmp_path))
    assert recipe.releases is not None
    mix = (ROOT / "fixtures/shop/mix.exs").read_text()
    for release in recipe.releases.values():
        assert release.path.parent == (tmp_path / "fixtures/shop/_build/prod/rel").resolve()
        assert f"{release.path.name}: release(" in mix


def test_the_phoenix_recipe(tmp_path: Path) -> None:
    recipe = _made(_copy(ROOT / "recipes/phoenix.yml", tmp_path))
    assert [str(port) for port in recipe.ports] == ["4000/tcp"]
    assert set(recipe.env) == {"PHX_HOST"}
