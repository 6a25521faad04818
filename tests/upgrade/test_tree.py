"""An image seen as the release that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagesmith.base.imageroot import ImageRoot
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.tree import Folder
from imagesmith.image.cattle import plan_cattle
from imagesmith.image.pet import plan_pet
from imagesmith.layer.build import build_layer
from imagesmith.layer.store import Scratch
from imagesmith.plan.code import Running
from imagesmith.recipe import default
from imagesmith.upgrade.tree import ImageTree
from tests.trees import APPLICATIONS, App, elf, make_release, make_relx_release

NATIVE = App("native", files={"priv/nif.so": elf(), "priv/a/b.txt": b"x"})


@contextmanager
def image_of(release: Release, folder: Path, *, pet: bool) -> Iterator[ImageTree]:
    recipe = default(folder)
    plans = plan_cattle(release, recipe)
    if pet:
        plans = [*plans, plan_pet(release, recipe, plans)]
    store = Scratch(folder)
    with ImageRoot([build_layer(plan, store) for plan in plans], "image") as root:
        yield ImageTree(root)


@pytest.mark.parametrize("pet", [False, True])
@pytest.mark.parametrize("make", [make_release, make_relx_release])
def test_it_is_the_release_again(make: Callable[..., Path], pet: bool, tmp_path: Path) -> None:
    made = make(tmp_path / "rel", applications=[*APPLICATIONS, NATIVE])
    (made / "BUILD_NOTES").write_text("an overlay")
    release = read_release(Folder(made))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with image_of(release, scratch, pet=pet) as tree:
        again = read_release(tree)
        assert (again.name, again.version, again.tool) == (
            *(release.name, release.version, release.tool),
        )
        apps = [(app.name, app.version, app.modules, app.folder) for app in again.applications]
        assert apps == [
            (app.name, app.version, app.modules, app.folder) for app in release.applications
        ]
        left_out = {"releases/COOKIE", "releases/RELEASES", *release.left_by_runs}
        shipped = {path for path in release.paths if not path.endswith(".script")} - left_out
        assert {path for path in again.paths if path != "releases/RELEASES"} == shipped
        old, new = Running(release), Running(again)
        assert old.protocols == new.protocols
        for app in release.applications:
            assert old.code(app.name) == new.code(app.name)
        assert tree.text("pet/release") if pet else tree.text("pet/release") is None
        script = f"bin/{release.name}"
        assert tree.read(script).startswith(b"#!/bin/sh")
        assert b"imagesmith/image" not in tree.read(script)  # the script, not the wrapper


def test_a_file_is_read_in_parts_and_as_a_stream(tmp_path: Path) -> None:
    release = read_release(
        Folder(make_release(tmp_path / "rel", applications=[*APPLICATIONS, NATIVE]))
    )
    with image_of(release, tmp_path, pet=False) as tree:
        assert tree.read("lib/native-1.0.0/priv/nif.so", 4) == b"\x7fELF"
        assert b"".join(tree.stream("lib/native-1.0.0/priv/a/b.txt")) == b"x"
