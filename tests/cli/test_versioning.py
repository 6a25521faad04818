"""`pet: {versioning: auto}` in a recipe: who reads the release sees its automatic versions."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.conftest import Smith
from tests.trees import make_distillery_release, make_release, make_relx_release

RECIPE = "version: 1\nrelease: {path: shop}\npet: {versioning: auto}\n"
AUTOMATIC = r"\+[0-9a-f]{10}"


def test_inspect_shows_them_and_the_folder_is_left_as_it_is(smith: Smith, here: Path) -> None:
    make_release(here / "shop")
    (here / "imagesmith.yml").write_text(RECIPE)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    found = json.loads(smith("inspect", "--json").stdout)
    assert re.fullmatch(f"0.1.0{AUTOMATIC}", found["version"])
    versions = {app["name"]: app["version"] for app in found["applications"]}
    assert re.fullmatch(f"0.1.0{AUTOMATIC}", versions["shop"])
    assert versions["elixir"] == "1.14.0"
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before
    assert json.loads(smith("inspect", "shop", "--json").stdout)["version"] == "0.1.0"


def test_the_same_code_is_the_same_release_whichever_the_project(smith: Smith, here: Path) -> None:
    found = []
    for place in ("a", "b"):
        make_relx_release(here / place / "shop")
        (here / place / "recipe.yml").write_text(RECIPE)
        found.append(json.loads(smith("inspect", f"{place}/recipe.yml", "--json").stdout))
    assert found[0]["version"] == found[1]["version"]


def test_distillery_is_refused_with_the_way_out(smith: Smith, here: Path) -> None:
    make_distillery_release(here / "shop")
    (here / "imagesmith.yml").write_text(RECIPE)
    done = smith("inspect")
    assert done.code == 1
    assert "automatic versions are for releases by mix or relx" in done.stderr
    assert "versioning: manual" in done.stderr
