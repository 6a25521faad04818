"""What an image changes in a release of each tool, and what it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.beam.release import Release, read_release
from imagesmith.beam.tree import Folder
from imagesmith.errors import ReleaseError
from imagesmith.image.cattle import command, plan_cattle
from imagesmith.layer.member import FileMember, LinkMember, Member
from imagesmith.layer.split import Group, LayerPlan
from imagesmith.recipe.parse import parse
from tests.trees import (
    APPLICATIONS,
    App,
    make_distillery_release,
    make_release,
    make_relx_release,
)


def read(folder: Path) -> Release:
    return read_release(Folder(folder), own=["shop"])


def plans(folder: Path) -> list[LayerPlan]:
    recipe = parse(b"version: 1\nrelease: {path: .}\n", "recipe.yml", folder)
    return plan_cattle(read(folder), recipe)


def members(folder: Path) -> dict[str, Member]:
    return {member.path: member for plan in plans(folder) for member in plan.members}


def text(held: dict[str, Member], path: str) -> bytes:
    member = held[path]
    assert isinstance(member, FileMember)
    return member.content.read()


@pytest.mark.parametrize(
    ("make", "verb"),
    [
        (make_release, "start"),
        (make_relx_release, "foreground"),
        (make_distillery_release, "foreground"),
    ],
)
def test_each_tools_release_starts_by_its_own_word(tmp_path: Path, make: object, verb: str) -> None:
    assert callable(make)
    release = read(make(tmp_path))
    assert command(release, None) == ("/app/bin/shop", verb)
    given = "start_iex" if verb == "start" else "console"
    assert command(release, [given]) == ("/app/bin/shop", given)


@pytest.mark.parametrize("make", [make_relx_release, make_distillery_release])
def test_no_file_holds_the_cookie_and_the_script_asks_for_one(tmp_path: Path, make: object) -> None:
    assert callable(make)
    held = members(make(tmp_path))
    for member in held.values():
        assert not isinstance(member, FileMember) or b"a-secret" not in member.content.read()
    script = text(held, "bin/shop")
    assert script.startswith(b"#!/bin/sh\n")
    assert b"/run/secrets/release_cookie" in script
    assert b"/releases/0.1.0/vm.args" in script
    assert b"\nset -e\n" in script


def test_relxs_second_script_is_changed_too_and_its_tarball_is_not_shipped(tmp_path: Path) -> None:
    held = members(make_relx_release(tmp_path))
    assert text(held, "bin/shop-0.1.0") == text(held, "bin/shop")
    assert b"RELX_COOKIE" in text(held, "bin/shop")
    assert "releases/RELEASES" in held
    assert not [path for path in held if path.endswith(".tar.gz")]


def test_a_link_to_the_script_leads_to_the_changed_one(tmp_path: Path) -> None:
    folder = make_relx_release(tmp_path)
    (folder / "bin/shop").unlink()
    (folder / "bin/shop").symlink_to("shop-0.1.0")
    held = members(folder)
    assert held["bin/shop"] == LinkMember("bin/shop", "shop-0.1.0")
    assert b"by imagesmith" in text(held, "bin/shop-0.1.0")


def test_a_variable_that_gave_the_cookie_still_does(tmp_path: Path) -> None:
    folder = make_relx_release(tmp_path, vm_args=b"-sname x\n-setcookie ${MINE:-a-secret}\n")
    held = members(folder)
    assert b'RELEASE_COOKIE="${RELEASE_COOKIE:-${MINE:-}}"\n' in text(held, "bin/shop")
    assert b"a-secret" not in text(held, "releases/0.1.0/vm.args.src")


def test_a_start_script_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = make_distillery_release(tmp_path)
    (folder / "bin/shop").unlink()
    with pytest.raises(ReleaseError, match="bin/shop is missing"):
        plans(folder)


def test_of_a_mix_release_env_sh_alone_changes(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    held = members(folder)
    assert b"by imagesmith" in text(held, "releases/0.1.0/env.sh")
    for path in ("bin/shop", "releases/0.1.0/vm.args", "releases/0.1.0/sys.config"):
        assert text(held, path) == (folder / path).read_bytes()


def test_the_recipe_of_distillery_is_good(tmp_path: Path) -> None:
    make_distillery_release(tmp_path / "_build/prod/rel/my_app", name="my_app")
    text = (Path(__file__).parents[2] / "recipes/distillery.yml").read_bytes()
    recipe = parse(text, "distillery.yml", tmp_path)
    assert recipe.release is not None
    assert b"NOT RUN" in text
    assert command(read(recipe.release.path), recipe.cmd) == ("/app/bin/my_app", "foreground")


# --- layers ------------------------------------------------------------------


def protocols(folder: Path) -> list[str]:
    (plan,) = (plan for plan in plans(folder) if plan.group is Group.PROTOCOLS)
    return [member.path for member in plan.members]


def test_distillerys_protocols_are_a_layer_where_its_scripts_look_for_them(tmp_path: Path) -> None:
    folder = make_distillery_release(tmp_path)
    assert protocols(folder) == ["lib/shop/consolidated/Elixir.String.Chars.beam"]
    assert members(folder)["lib/shop-0.1.0"] == LinkMember("lib/shop-0.1.0", "shop")


def test_so_are_those_of_an_umbrella_which_is_no_application(tmp_path: Path) -> None:
    applications = [*APPLICATIONS[:-1], App("web", modules=("Elixir.Web",))]
    folder = make_distillery_release(tmp_path, applications=applications)
    assert protocols(folder) == ["lib/shop/consolidated/Elixir.String.Chars.beam"]
    assert members(folder)["lib/shop-0.1.0"] == LinkMember("lib/shop-0.1.0", "shop")


def test_a_release_without_native_code_has_no_native_layer(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    for file in (folder / "erts-13.1.5/bin").iterdir():
        file.unlink()
    (folder / "erts-13.1.5/bin").rmdir()
    (folder / "erts-13.1.5").rmdir()
    groups = [plan.group for plan in plans(folder)]
    assert Group.NATIVE not in groups
    assert groups[-1] is Group.RELEASE
