"""What differs between two sides, before anybody asks why."""

from __future__ import annotations

import pytest

from imagesmith.errors import UsageError
from imagesmith.image.difference import Change, compare
from imagesmith.layer.split import Group
from tests.beam.beams import module
from tests.image.sides import file, layer, link, release_layer, side, told


def test_the_same_layers_differ_in_nothing() -> None:
    one = side(layer("shop", file("lib/shop/priv/a", b"a")))
    found = compare(one, one)
    assert (found.layers, found.same, found.ships) == ((), 1, 0)


def test_the_layer_that_ships_most_comes_first() -> None:
    small = layer("small", file("lib/small/priv/a", b"a"))
    large = layer("large", file("lib/large/priv/a", bytes(range(256)) * 9))
    same = layer("same", file("lib/same/priv/a", b"a"))
    found = compare(side(same), side(small, large, same))
    assert [item.name for item in found.layers] == ["large", "small"]
    assert found.ships == sum(item.layer.descriptor.size for item in (small, large))
    assert found.same == 1


def test_files_come_go_and_change() -> None:
    before = [layer("shop", file("lib/shop/priv/a", b"1"), file("lib/shop/priv/gone"))]
    after = [layer("shop", file("lib/shop/priv/a", b"2"), file("lib/shop/priv/new"))]
    found = {path: difference.change for path, (difference, _) in told(before, after).items()}
    assert found == {
        "lib/shop/priv/a": Change.CHANGED,
        "lib/shop/priv/gone": Change.REMOVED,
        "lib/shop/priv/new": Change.ADDED,
    }


def test_a_module_is_told_with_its_application_and_its_chunks() -> None:
    path = "lib/shop/ebin/Elixir.Shop.Cart.beam"
    before = [layer("shop", file(path, module(name="Elixir.Shop.Cart")))]
    after = [layer("shop", file(path, module({b"Line": bytes(20)}, name="Elixir.Shop.Cart")))]
    [(difference, _)] = told(before, after).values()
    assert (difference.application, difference.module) == ("shop", "Shop.Cart")
    assert [chunk.name for chunk in difference.chunks or ()] == ["Line"]


def test_a_layer_that_only_a_has_ships_nothing() -> None:
    [found] = compare(side(layer("old", file("lib/old/priv/a"))), side()).layers
    assert (found.name, found.after, found.ships) == ("old", None, 0)
    assert [item.change for item in found.files] == [Change.REMOVED]


def test_paths_are_held_together_but_for_their_versions() -> None:
    before = [release_layer(file("releases/1/vm.args", b"same"), shop="1")]
    after = [release_layer(file("releases/2/vm.args", b"same"), version="2", shop="2")]
    [found] = compare(side(*before), side(*after)).layers
    assert {item.path: item.change for item in found.files} == {
        "app/releases/start_erl.data": Change.CHANGED,
        "app/releases/2/vm.args": Change.RENAMED,
        "app/lib/shop-2": Change.RENAMED,
    }


def test_versions_with_hyphens_and_applications_that_start_alike() -> None:
    before = [release_layer(shop="1.0.0-rc.1", shop_web="1")]
    after = [release_layer(shop="1.0.0-rc.2", shop_web="1")]
    found = compare(side(*before), side(*after))
    assert found.before.applications == {"shop": "1.0.0-rc.1", "shop_web": "1"}
    assert [item.change for item in found.layers[0].files] == [Change.RENAMED]


def test_a_file_in_another_layer_has_moved() -> None:
    member = file("lib/jason/ebin/jason.app")
    before = [layer("jason", member, file("lib/jason/priv/a"), group=Group.THIRD_PARTY)]
    after = [layer("jason", member)]
    found = told(before, after)
    difference, _ = found["lib/jason/ebin/jason.app"]
    assert difference.change is Change.MOVED
    assert difference.layer_before == (Group.THIRD_PARTY, "jason")


def test_folders_on_the_way_to_files_are_no_difference() -> None:
    before = [layer("shop", file("lib/shop/priv/a/x"))]
    after = [layer("shop", file("lib/shop/priv/b/x"))]
    assert set(told(before, after)) == {"lib/shop/priv/a/x", "lib/shop/priv/b/x"}


def test_one_content_in_two_compressions_is_told_for_images() -> None:
    plain = layer("shop", link("lib/shop/priv/a", "b"))
    other = layer("shop", link("lib/shop/priv/a", "b"))
    object.__setattr__(
        other.layer, "descriptor", type(other.layer.descriptor)("x", f"sha256:{'0' * 64}", 7)
    )
    [found] = compare(side(plain, is_image=True), side(other, is_image=True)).layers
    assert found.same_content
    assert found.ships == 7
    assert not compare(side(plain), side(other, is_image=True)).layers


def test_bases_are_compared_between_images_only() -> None:
    old, new = (layer("system", file("etc/a", data), group=Group.BASE) for data in (b"1", b"2"))
    own = layer("shop", file("lib/shop/priv/a"))
    assert compare(side(old, own, is_image=True), side(new, own, is_image=True)).layers
    found = compare(side(own), side(new, own, is_image=True))
    assert not found.layers
    assert not found.base_compared


def test_settings_that_differ_are_named() -> None:
    before, after = side(is_image=True, user="1", os="linux"), side(is_image=True, user="2", cmd="")
    assert compare(before, after).settings == ("cmd", "os", "user")


def test_a_release_and_an_image_that_is_not_ours_cannot_be_compared() -> None:
    foreign = side(layer("layer 1", file("a"), group=Group.BASE), is_image=True)
    with pytest.raises(UsageError, match=r"no layer of this image is imagesmith's"):
        compare(side(layer("shop", file("a"))), foreign)
