"""The appended layer, with the union of layers that bases are read by as its oracle."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.base.imageroot import ImageRoot
from imagesmith.errors import BaseError
from imagesmith.image.append import append_plan
from imagesmith.image.filelist import gone, list_image, list_members, pack, unpack
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.tar import tar
from tests.base.layers import as_layer

Tree = Mapping[str, Member]


def members_of(paths: list[str], kinds: list[int]) -> list[Member]:
    """Files, links and folders at those of the paths that no other of them lies in the way of."""
    taken: dict[str, Member] = {}
    for path, kind in zip(paths, kinds, strict=False):
        if any(one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in taken):
            continue
        match kind % 4:
            case 0 | 1:
                taken[path] = FileMember(path, Content.of_bytes(bytes([kind])), kind % 4 == 1)
            case 2:
                taken[path] = LinkMember(path, f"to-{kind}")
            case _:
                taken[path] = FolderMember(path)
    return list(taken.values())


PATHS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join), unique=True, max_size=8
)
TREES = st.builds(members_of, PATHS, st.lists(st.integers(0, 7), min_size=8, max_size=8))


def layer(members: list[Member]) -> Layer:
    return as_layer(b"".join(tar(members, "app")))


@given(TREES, TREES)
def test_the_earlier_image_and_the_appended_layer_hold_what_the_new_release_holds(
    old: list[Member], new: list[Member]
) -> None:
    plan = append_plan(list_members(old), new, "app")
    layers = [layer(old)] + ([layer(plan.members)] if plan else [])
    with ImageRoot(layers, "stack") as root:
        found = list_image(root, "app")
    wanted = list_members(new)
    # Folders that have lost what they held stay, empty, where something else keeps them needed.
    assert {path: what for path, what in found.items() if path in wanted} == wanted
    assert all(what.startswith("folder") for path, what in found.items() if path not in wanted)


@given(TREES)
def test_a_release_without_changes_appends_nothing(tree: list[Member]) -> None:
    assert append_plan(list_members(tree), tree, "app") is None


def test_only_what_has_changed_is_in_the_layer() -> None:
    old = [FileMember("bin/a", Content.of_bytes(b"a")), FileMember("bin/b", Content.of_bytes(b"b"))]
    new = [FileMember("bin/a", Content.of_bytes(b"a")), FileMember("bin/b", Content.of_bytes(b"c"))]
    plan = append_plan(list_members(old), new, "app")
    assert plan is not None
    assert [member.path for member in plan.members] == ["bin/b"]


def test_a_new_mode_is_a_change() -> None:
    content = Content.of_bytes(b"a")
    plan = append_plan(
        list_members([FileMember("a", content)]), [FileMember("a", content, True)], ""
    )
    assert plan is not None


def test_a_folder_that_went_as_a_whole_is_hidden_by_one_whiteout() -> None:
    old = {"lib/a/ebin/x.beam": "file", "lib/a/ebin/y.beam": "file", "lib/b/z": "file"}
    assert gone(old, {"lib/b/z": "file"}) == ["lib/a"]


def test_what_lay_in_a_folder_that_became_a_file_needs_no_whiteout() -> None:
    assert gone({"a/b": "file 644 x"}, {"a": "file 644 y"}) == []


def test_a_list_survives_its_blob_and_the_same_list_has_the_same_bytes() -> None:
    files = {"lib/a": "link b", "bin/x": "file 755 00"}
    assert unpack(pack(files), "place") == files
    assert pack(files) == pack(dict(reversed(files.items())))


@pytest.mark.parametrize(
    "blob", [b"", b"nonsense", pack({"a": "b"})[:-9], gzip.compress(b"[]", mtime=0)]
)
def test_a_blob_that_is_no_list_is_refused_with_its_place(blob: bytes) -> None:
    with pytest.raises(BaseError, match="place"):
        unpack(blob, "place")
