from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.errors import ReleaseError
from imagesmith.layer.member import LinkMember
from imagesmith.layer.split import LayerPlan
from tests.beam.beams import module
from tests.layer.conftest import Plan
from tests.trees import APPLICATIONS, App, elf

OTHERS = APPLICATIONS[:-1]


def keys(layers: Mapping[str, LayerPlan]) -> dict[str, str]:
    return {name: layer.key for name, layer in layers.items()}


def changed(old: Mapping[str, LayerPlan], new: Mapping[str, LayerPlan]) -> set[str]:
    before, after = keys(old), keys(new)
    return {name for name in before | after if before.get(name) != after.get(name)}


def paths(layers: Mapping[str, LayerPlan]) -> dict[str, str]:
    """Every path that is shipped, and in which layer."""
    return {member.path: name for name, layer in layers.items() for member in layer.members}


def shop(version: str = "0.1.0", modules: int = 2) -> App:
    names = tuple(f"Elixir.Shop{number}" for number in range(modules))
    requires = ("kernel", "stdlib", "elixir", "jason")
    return App("shop", version, names, requires, files={"priv/x.txt": b"x"})


def test_every_file_lies_in_the_layer_that_the_design_gives_it(plan: Plan) -> None:
    small_otp = "otp: small otp "
    small_third = "third-party: small third-party "
    found = {
        path: name.rstrip("0123456789").removesuffix(" of ").rstrip("0123456789")
        for path, name in paths(plan()).items()
    }
    assert found == {
        "erts-13.1.5/bin/beam.smp": "native: native",
        "erts-13.1.5/bin/erl": "native: native",
        "lib/kernel/ebin/kernel.app": small_otp,
        "lib/kernel/ebin/application.beam": small_otp,
        "lib/kernel/ebin/code.beam": small_otp,
        "lib/stdlib/ebin/stdlib.app": small_otp,
        "lib/stdlib/ebin/gen_server.beam": small_otp,
        "lib/stdlib/ebin/lists.beam": small_otp,
        "lib/elixir/ebin/elixir.app": "elixir: small elixir",
        "lib/elixir/ebin/Elixir.Enum.beam": "elixir: small elixir",
        "lib/elixir/ebin/Elixir.String.Chars.beam": "elixir: small elixir",
        "lib/jason/ebin/jason.app": small_third,
        "lib/jason/ebin/Elixir.Jason.beam": small_third,
        "lib/shop/ebin/Elixir.Shop.beam": "own: shop",
        "lib/shop/ebin/Elixir.Shop.Cart.beam": "own: shop",
        "lib/shop/priv/static/robots.txt": "own: shop",
        "consolidated/Elixir.String.Chars.beam": "protocols: protocols",
        "lib/shop/ebin/shop.app": "release: release",
        "lib/kernel-8.5.3": "release: release",
        "lib/stdlib-4.2": "release: release",
        "lib/elixir-1.14.0": "release: release",
        "lib/jason-1.4.0": "release: release",
        "lib/shop-0.1.0": "release: release",
        "bin/shop": "release: release",
        "releases/start_erl.data": "release: release",
        "releases/0.1.0/shop.rel": "release: release",
        "releases/0.1.0/start.boot": "release: release",
        "releases/0.1.0/env.sh": "release: release",
        "releases/0.1.0/vm.args": "release: release",
        "releases/0.1.0/sys.config": "release: release",
        "releases/0.1.0/consolidated": "release: release",
    }


def test_versioned_paths_are_links_to_what_lies_at_unversioned_ones(plan: Plan) -> None:
    (release,) = (layer for name, layer in plan().items() if name == "release: release")
    links = {m.path: m.target for m in release.members if isinstance(m, LinkMember)}
    assert links == {
        **{app.folder: app.name for app in APPLICATIONS},
        "releases/0.1.0/consolidated": "../../consolidated",
    }


def test_a_new_version_changes_the_release_layer_alone(plan: Plan) -> None:
    old = plan([*OTHERS, shop("0.1.0", 200)], folder="old")
    new = plan([*OTHERS, shop("0.2.0-rc.1+b93ac0c", 200)], version="0.2.0", folder="new")
    assert changed(old, new) == {"release: release"}


def test_an_older_version_that_was_left_lying_about_is_not_shipped(plan: Plan) -> None:
    plan([*OTHERS, shop("0.1.0")])
    over = plan([*OTHERS, shop("0.2.0")], version="0.2.0")
    assert not [path for path in paths(over) if "0.1.0" in path]
    assert keys(over) == keys(plan([*OTHERS, shop("0.2.0")], version="0.2.0", folder="clean"))


def test_no_path_outside_of_the_release_layer_has_a_version(plan: Plan) -> None:
    layers = plan([*OTHERS, shop("7.7.7")], version="7.7.7")
    versions = {app.version for app in OTHERS} | {"7.7.7"}
    outside = [path for path, name in paths(layers).items() if name != "release: release"]
    assert len(outside) > 10
    assert not [path for path in outside if any(version in path for version in versions)]


def test_another_third_party_dependency_changes_its_bucket_and_the_release_layer(
    plan: Plan,
) -> None:
    third = [App(f"dep{number}", "1.0.0", (f"dep{number}",)) for number in range(30)]
    added = App("new_dep", "3.1.4", ("new_dep",))

    def user(*apps: App) -> App:
        """Requires them all: so they are told from the team's own."""
        return App("shop", "0.1.0", ("Elixir.Shop",), ("jason", *(app.name for app in apps)))

    old = plan([*OTHERS, user(*third), *third], folder="old", budget=60)
    new = plan([*OTHERS, user(*third, added), *third, added], folder="new", budget=60)
    moved = changed(old, new)
    assert "release: release" in moved
    (bucket,) = moved - {"release: release"}
    assert "lib/new_dep/ebin/new_dep.beam" in {m.path for m in new[bucket].members}


def test_one_changed_module_of_five_hundred_changes_one_layer_of_sixteen(plan: Plan) -> None:
    def change(folder: Path) -> None:
        path = folder / "lib/shop-0.1.0/ebin/Elixir.Shop321.beam"
        path.write_bytes(module({b"Code": b"other code"}, name="Elixir.Shop321"))

    old = plan([*OTHERS, shop(modules=500)], folder="old")
    new = plan([*OTHERS, shop(modules=500)], folder="new", change=change)
    assert len([name for name in old if name.startswith("own: shop/") and "of16" in name]) == 16
    (name,) = changed(old, new)
    assert name.startswith("own: shop/")


def test_debug_information_and_the_place_of_the_build_change_no_layer(plan: Plan) -> None:
    def change(folder: Path) -> None:
        path = folder / "lib/shop-0.1.0/ebin/Elixir.Shop0.beam"
        path.write_bytes(module({b"Dbgi": b"more", b"CInf": b"/elsewhere"}, name="Elixir.Shop0"))

    old = plan([*OTHERS, shop()], folder="old")
    assert not changed(old, plan([*OTHERS, shop()], folder="new", change=change))


def test_the_cookie_scripts_and_what_no_rel_lists_are_never_shipped(plan: Plan) -> None:
    def change(folder: Path) -> None:
        for path in ("lib/unlisted-1.0/ebin/x.beam", "lib/x/ebin/x.app", "erts-9.9/bin/beam.smp"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"x")
        (folder / "releases/0.1.0/start_clean.script").write_bytes(b"x")
        (folder / "releases/COOKIE").write_bytes(b"another secret")

    assert keys(plan(folder="old")) == keys(plan(folder="new", change=change))
    shipped = paths(plan(folder="new"))
    assert not [path for path in shipped if path.endswith(("COOKIE", ".script"))]


def test_what_a_run_of_the_release_left_is_not_shipped(plan: Plan) -> None:
    def change(folder: Path) -> None:
        left = ("tmp/shop-0.1.0-x.runtime.config", "tmp/log/erlang.log.1", "erl_crash.dump")
        for path in (*left, ".erlang.cookie", "log/run_erl.log"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"a resolved secret")

    assert keys(plan(folder="old")) == keys(plan(folder="new", change=change))


def test_overlays_are_shipped_wherever_they_lie(plan: Plan) -> None:
    overlays = ("lib/README", "lib/tool/f", "releases/notes/f", "erts-extra/f", "log/.keep", "top")

    def change(folder: Path) -> None:
        for path in overlays:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"x")

    assert set(overlays) <= set(paths(plan(change=change)))


@pytest.mark.parametrize("overlay", ["consolidated/Elixir.String.Chars.beam", "lib/shop/x"])
def test_an_overlay_that_would_hide_something_is_refused(plan: Plan, overlay: str) -> None:
    def change(folder: Path) -> None:
        (folder / overlay).parent.mkdir(parents=True, exist_ok=True)
        (folder / overlay).write_bytes(b"x")
        if overlay == "lib/shop/x":
            (folder / "lib/shop-0.1.0/x").write_bytes(b"y")

    with pytest.raises(ReleaseError, match="two files would lie at"):
        plan(change=change)


def test_overlays_anywhere_in_the_root_are_shipped_in_the_release_layer(plan: Plan) -> None:
    def change(folder: Path) -> None:
        (folder / "static/empty").mkdir(parents=True)
        (folder / "BUILD_NOTES").write_text("notes")
        (folder / "bin/server").write_text("#!/bin/sh\n")
        (folder / "bin/start.script").write_text("#!/bin/sh\n")

    found = paths(plan(change=change))
    for path in ("static/empty", "BUILD_NOTES", "bin/server", "bin/start.script"):
        assert found[path] == "release: release"


def test_elf_files_and_links_to_them_are_native_wherever_they_lie(plan: Plan) -> None:
    def change(folder: Path) -> None:
        priv = folder / "lib/shop-0.1.0/priv"
        (priv / "libnif.so.1.2").write_bytes(elf())
        (priv / "libnif.so.1").symlink_to("libnif.so.1.2")
        (priv / "libnif.so").symlink_to("libnif.so.1")
        (priv / "current.txt").symlink_to("x.txt")
        (priv / "loop").symlink_to("loop")
        (folder / "bin/tool").write_bytes(elf())

    found = paths(plan([*OTHERS, shop()], change=change))
    native = {path for path, name in found.items() if name == "native: native"}
    assert native == {
        "erts-13.1.5/bin/beam.smp",
        "erts-13.1.5/bin/erl",
        "bin/tool",
        *(f"lib/shop/priv/libnif.so{end}" for end in ("", ".1", ".1.2")),
    }
    assert found["lib/shop/priv/current.txt"] == found["lib/shop/priv/loop"] == "own: shop"


@pytest.mark.parametrize(
    ("name", "problem"),
    [(b"bad\xff.txt", "is not valid UTF-8"), (b"two\nlines", "holds a control character")],
)
def test_a_file_name_that_no_image_can_hold_is_named(plan: Plan, name: bytes, problem: str) -> None:
    def change(folder: Path) -> None:
        path = bytes(folder / "lib/shop-0.1.0/priv") + b"/" + name
        with open(path, "wb"):
            pass

    with pytest.raises(ReleaseError, match=problem):
        plan([*OTHERS, shop()], change=change)


def test_a_module_that_is_cut_short_is_named_with_its_path(plan: Plan) -> None:
    def change(folder: Path) -> None:
        path = folder / "lib/shop-0.1.0/ebin/Elixir.Shop0.beam"
        path.write_bytes(path.read_bytes()[:40])

    with pytest.raises(ReleaseError, match=r"ebin/Elixir.Shop0.beam cannot be loaded: .*short"):
        plan([*OTHERS, shop()], change=change)
