"""`imagesmith plan` of the shop: releases, archives, images and bundles that are real."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.registry import Registry
from imagesmith.upgrade.bundle import open_bundle
from tests.registry import registry
from tests.shop import REPO, SHOP

pytestmark = [pytest.mark.release, pytest.mark.oracle]

BY_HAND = f"pet: {{appups: {SHOP}/appups}}\n"


@dataclass(frozen=True, slots=True)
class Lab:
    """A folder with recipes that name appups by hand, and the shop in three versions."""

    folder: Path
    releases: dict[str, Path]

    def run(self, *words: str | Path, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "imagesmith", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code in (0, 3, 4) else done.stderr

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.run("plan", *words, "--json"))

    def build(self, version: str, *options: str) -> None:
        recipe = self.folder / f"{version}.yml"
        recipe.write_text(f"version: 1\nrelease: {{path: {self.releases[version]}}}\n{BY_HAND}")
        self.run("build", recipe, "--mode", "pet", *options)


@pytest.fixture(scope="module")
def lab(shop_versions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """With the images 1.oci, 2.oci and 2.tar, and the bundles in 2.oci and up.tar."""
    made = Lab(tmp_path_factory.mktemp("plans"), shop_versions)
    made.build("0.1.0", "-o", "type=oci,tar=false,dest=1.oci")
    up = ("--upgrade-from", "oci:1.oci", "--bundle")
    made.build("0.2.0", "-o", "type=oci,dest=2.tar", *up, "up.tar")
    made.build("0.2.0", "-o", "type=oci,tar=false,dest=2.oci", *up, "oci:2.oci")
    return made


@pytest.mark.parametrize(
    ("before", "after"), [("0.1.0", "0.2.0"), ("0.2.0", "0.3.0"), ("0.1.0", "0.3.0")]
)
def test_the_shop_goes_hot_by_generated_appups(lab: Lab, before: str, after: str) -> None:
    said = lab.run("plan", lab.releases[before], lab.releases[after], "--detailed-exitcode")
    assert said.startswith(f"shop_all {before} → {after}: hot\n")


def test_an_older_release_as_new_has_no_code_change_for_what_came_later(lab: Lab) -> None:
    """To go back there is the rollback of an upgrade, which calls the newer one's code_change."""
    found = lab.json(lab.releases["0.3.0"], lab.releases["0.1.0"])
    assert found["verdict"] == "restart"
    against = {item["subject"]: item for item in found["reasons"] if item["verdict"] != "hot"}
    assert against.keys() == {"Core.Counter", "Worker.Ticker"}
    assert against["Core.Counter"]["kind"] == "state-shape"
    assert "def code_change(" in against["Core.Counter"]["example"]
    # Told once: by the state that it is.
    assert sum(item["subject"] == "Worker.Ticker" for item in found["reasons"]) == 1


def test_appups_by_hand_win_where_the_recipe_names_them(lab: Lab) -> None:
    old, new = lab.releases["0.1.0"], lab.releases["0.2.0"]
    by_hand = lab.json(old, new, "--recipe", "0.2.0.yml")["instructions"]
    assert {item["application"]: item["place"] for item in by_hand} == {
        name: f"{SHOP}/appups/0.2.0/{name}.appup" for name in ("core", "catalog", "web", "worker")
    }
    assert {item["place"] for item in lab.json(old, new)["instructions"]} == {"generated"}


def test_a_plan_lists_what_changes_in_the_shop(lab: Lab) -> None:
    found = lab.json(lab.releases["0.1.0"], lab.releases["0.2.0"])
    schema = json.loads((REPO / "docs/plan.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    modules = {item["module"]: item for item in found["modules"]}
    assert {name for name, item in modules.items() if item["change"] == "added"} == {
        "Elixir.Catalog.Bundle",
        "Elixir.Core.Describe.Catalog.Bundle",
    }
    # Its source is the same; the struct that it builds is not.
    assert modules["Elixir.Catalog.Csv"]["chunks"] == ["FunT", "LitT"]
    assert [item["module"] for item in found["protocols"]] == ["Elixir.Core.Describe"]
    kinds = {item["kind"]: item for item in found["reasons"]}
    assert kinds["struct-shape"]["subject"] == "Core.Item"
    assert "BANNER" in kinds["config-provider"]["says"]
    assert {item["verdict"] for item in found["reasons"]} == {"hot"}


def test_a_release_and_itself_leave_nothing_to_do_in_any_form(lab: Lab) -> None:
    archive = lab.folder / "1.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", lab.releases["0.1.0"], "."], check=True)
    for other in (lab.releases["0.1.0"], archive, "oci:1.oci", "1.oci"):
        said = lab.run("plan", lab.releases["0.1.0"], other, "--detailed-exitcode")
        assert said == "shop_all 0.1.0 → 0.1.0: nothing to do, both run the same\n"


def test_images_are_planned_like_the_releases_in_them(lab: Lab) -> None:
    expected = lab.json(lab.releases["0.1.0"], lab.releases["0.2.0"])
    for pair in (("oci:1.oci", "2.tar"), ("1.oci", lab.releases["0.2.0"])):
        found = lab.json(*pair)
        for key in ("verdict", "reasons", "applications", "modules", "protocols", "instructions"):
            assert found[key] == expected[key]


@pytest.mark.parametrize("bundle", ["up.tar", "oci:2.oci", "2.oci"])
def test_a_bundle_is_planned_on_top_of_its_old_by_the_appups_in_it(lab: Lab, bundle: str) -> None:
    expected = lab.json(lab.releases["0.1.0"], lab.releases["0.2.0"], "--recipe", "0.2.0.yml")
    for old in (lab.releases["0.1.0"], "oci:1.oci"):
        found = lab.json(old, bundle)
        for key in ("verdict", "reasons", "applications", "modules", "protocols"):
            assert found[key] == expected[key]
        assert [item["up"] for item in found["instructions"]] == [
            item["up"] for item in expected["instructions"]
        ]


def test_a_bundle_stands_for_the_image_beside_it_and_not_alone(lab: Lab) -> None:
    said = lab.run("plan", "oci:2.oci", lab.releases["0.3.0"], "--detailed-exitcode")
    assert said.startswith("shop_all 0.2.0 → 0.3.0: hot\n")
    said = lab.run("plan", "up.tar", lab.releases["0.3.0"], code=2)
    assert "this bundle leads from shop_all 0.1.0 to 0.2.0" in said


def test_what_ships_is_what_the_bundle_brings(lab: Lab) -> None:
    """But for what is made later: the relup, the appups, and the release's digest."""
    facts = open_bundle(str(lab.folder / "up.tar"), Registry, BlobDir(lab.folder / "blobs")).facts
    ships = lab.json("1.oci", "2.tar")["ships"]
    later = [file for file in facts.files if file.path.endswith((".appup", "/relup", "/digest"))]
    assert ships["files"] == len(facts.files) - len(later)
    assert 0 < facts.size - ships["bytes"] < 20_000


def test_a_registry_is_asked_for_the_layers_of_new(lab: Lab) -> None:
    with registry(lab.folder / "registry") as host:
        empty = lab.json("1.oci", "2.tar", "--registry", f"{host}/shop")["registry"]
        assert empty["repository"] == f"{host}/shop"
        assert (empty["present"], empty["bytes"] > 1_000_000) == (0, True)
        lab.build("0.1.0", "-t", f"{host}/shop:1", "--push")
        old = f"{host}/shop:1"
        found = [
            lab.json(old, new)["registry"] for new in ("2.tar", lab.releases["0.2.0"], "up.tar")
        ]
        told = lab.run("plan", old, "2.tar").splitlines()[-1]
    image, release, bundle = found
    # The pet's own layer is not of the release.
    assert (image["layers"], image["present"]) == (release["layers"] + 1, release["present"])
    assert 0 < release["bytes"] < image["bytes"] < 200_000
    assert 0 < bundle["present"] < bundle["layers"] < release["layers"]
    assert told.startswith(f"{host}/shop has {image['present']} of {image['layers']} layers of NEW")


def test_a_history_of_the_shop(lab: Lab) -> None:
    folder = lab.folder / "all"
    folder.mkdir()
    for version, release in lab.releases.items():
        (folder / version).symlink_to(release)
    said = lab.run("plan", "--history", "all").splitlines()
    assert said[:2] == ["0.1.0 → 0.2.0  hot", "0.2.0 → 0.3.0  hot"]
    assert "Of your last 2 releases 2 could have gone hot." in said
    (folder / "2.tar").symlink_to(lab.folder / "2.tar")
    assert lab.run("plan", "--history", "all/*").splitlines() == said


def test_a_cut_image_is_one_clear_error(lab: Lab) -> None:
    data = (lab.folder / "2.tar").read_bytes()
    (lab.folder / "cut.tar").write_bytes(data[: len(data) // 2])
    assert "cut.tar: this is no tar, or it is broken" in lab.run("plan", "1.oci", "cut.tar", code=1)
