"""The pet image: the cattle image's layers and one more, and what is in that one."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from imagesmith.base.base import Base
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import consult
from imagesmith.beam.tree import Folder
from imagesmith.errors import ReleaseError, UsageError
from imagesmith.image.cattle import cattle_image, plan_cattle
from imagesmith.image.image import Image
from imagesmith.image.pet import pet_image, plan_pet
from imagesmith.image.pet.image import release_digest
from imagesmith.image.pet.releases import releases_file
from imagesmith.layer.build import build_layer
from imagesmith.layer.member import FileMember, FolderMember, Member
from imagesmith.layer.store import Scratch
from imagesmith.oci.spec import Platform
from imagesmith.recipe import Recipe
from imagesmith.recipe.parse import parse
from tests.oci.images import make_layer
from tests.trees import APPLICATIONS, make_distillery_release, make_release, make_relx_release

BASE = Base((make_layer("base"),), Platform("amd64"), "made")
CREATED = "1980-01-01T00:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_release(tmp_path / "rel")
    (made / "bin/migrate").write_text("#!/bin/sh\n")
    (made / "bin/migrate").chmod(0o755)
    (made / "bin/notes.txt").write_text("beside the scripts")
    return made


def recipe(folder: Path, more: str = "") -> Recipe:
    return parse(f"version: 1\nrelease: {{path: .}}\n{more}".encode(), "recipe.yml", folder)


def release(folder: Path) -> Release:
    return read_release(Folder(folder))


def members(folder: Path, more: str = "") -> dict[str, Member]:
    held, wanted = release(folder), recipe(folder, more)
    plan = plan_pet(held, wanted, plan_cattle(held, wanted))
    return {member.path: member for member in plan.members}


def text(member: Member) -> str:
    assert isinstance(member, FileMember)
    return member.content.read().decode()


def images(folder: Path, store: Scratch, more: str = "") -> tuple[Image, Image]:
    """The release as cattle and as a pet."""
    held, wanted = release(folder), recipe(folder, more)
    plans = plan_cattle(held, wanted)
    layers = [build_layer(plan, store) for plan in plans]
    top = build_layer(plan_pet(held, wanted, plans), store)
    return (
        cattle_image(held, wanted, BASE, layers, name="shop", created=CREATED),
        pet_image(held, wanted, BASE, [*layers, top], name="shop", created=CREATED),
    )


@pytest.fixture
def store(tmp_path: Path) -> Scratch:
    (tmp_path / "scratch").mkdir()
    return Scratch(tmp_path / "scratch")


def test_every_layer_but_the_top_one_is_the_cattle_images(folder: Path, store: Scratch) -> None:
    cattle, pet = images(folder, store)
    assert [layer.diff_id for layer in pet.layers[:-1]] == [
        layer.diff_id for layer in cattle.layers
    ]
    assert pet.layers[-1].group == "pet"


def test_it_differs_from_cattle_in_the_entrypoint_and_says_which_it_is(
    folder: Path, store: Scratch
) -> None:
    settings: list[dict[str, Any]] = [
        json.loads(image.config)["config"] for image in images(folder, store)
    ]
    cattle, pet = settings
    assert pet.pop("Entrypoint") == ["/app/pet/start"]
    assert pet["Labels"]["io.imagesmith.mode"] == "pet"
    assert "Volumes" not in pet  # an anonymous volume would lose upgrades without a word
    del cattle["Labels"], pet["Labels"]
    assert pet == cattle


def test_wrappers_stand_where_the_scripts_were_which_lie_beside(folder: Path) -> None:
    held = members(folder)
    assert sorted(path for path in held if path.startswith("app/bin/")) == [
        "app/bin/migrate",
        "app/bin/shop",
    ]
    assert text(held["app/bin/shop"]) == text(held["app/bin/migrate"])
    moved = ("migrate", "notes.txt", "shop")
    assert sorted(path for path in held if "image-bin" in path) == [
        f"app/image-bin/{name}" for name in moved
    ]
    for path in ("app/bin/shop", "app/image-bin/shop", "app/pet/start"):
        member = held[path]
        assert isinstance(member, FileMember)
        assert member.executable


def test_the_entrypoint_is_told_what_it_stands_for(folder: Path) -> None:
    held, wanted = release(folder), recipe(folder)
    assert text(members(folder)["app/pet/release"]).splitlines() == [
        "name='shop'",
        "version='0.1.0'",
        "erts='13.1.5'",
        f"digest='{release_digest(plan_cattle(held, wanted))}'",
        "volume='/upgrades'",
    ]


@pytest.mark.parametrize(
    ("more", "path", "owner"),
    [
        ("", "upgrades", (65532, 65532)),
        ('user: "1000"\n', "upgrades", (1000, 0)),
        ('user: "1000:1001"\npet: {volume: /data/of-shop}\n', "data/of-shop", (1000, 1001)),
    ],
)
def test_the_folder_for_the_volume_belongs_to_the_user(
    folder: Path, store: Scratch, more: str, path: str, owner: tuple[int, int]
) -> None:
    member = members(folder, more)[path]
    assert isinstance(member, FolderMember)
    assert member.owner == owner
    _, pet = images(folder, store, more)
    with pet.layers[-1].open() as blob, tarfile.open(fileobj=blob, mode="r:gz") as layer:
        entries = {entry.name: entry for entry in layer}
    assert (entries[path].uid, entries[path].gid) == owner
    assert {(entry.uid, entry.gid) for name, entry in entries.items() if name != path} == {(0, 0)}


def test_releases_is_what_relx_writes_and_release_handler_reads(folder: Path) -> None:
    libraries: list[Term] = [
        (Atom(app.name), app.version, f"./{app.folder}") for app in APPLICATIONS
    ]
    written = (Atom("release"), "shop", "0.1.0", "13.1.5", libraries, Atom("permanent"))
    assert consult(releases_file(release(folder))) == [[written]]


def test_relxs_own_releases_is_replaced(tmp_path: Path) -> None:
    held = members(make_relx_release(tmp_path / "relx"))
    assert text(held["app/releases/RELEASES"]).encode() == releases_file(release(tmp_path / "relx"))
    assert "app/image-bin/nodetool" in held


def test_a_release_by_distillery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="not by Distillery"):
        members(make_distillery_release(tmp_path / "distillery"))


def test_a_release_without_erts_is_refused(folder: Path) -> None:
    shutil.rmtree(folder / "erts-13.1.5")
    with pytest.raises(ReleaseError, match="brings its own ERTS"):
        members(folder)


@pytest.mark.parametrize("volume", ["/app", "/app/upgrades", "/tmp/upgrades"])
def test_a_volume_where_the_release_or_tmpfs_lies_is_refused(folder: Path, volume: str) -> None:
    with pytest.raises(UsageError, match=f"pet.volume: {volume}: "):
        members(folder, f"pet: {{volume: {volume}}}\n")
