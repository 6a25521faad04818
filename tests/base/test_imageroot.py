"""By the words of OCI's "Image Layer Filesystem Changeset", and containerd where it is silent."""

from __future__ import annotations

import gzip
import io
import stat
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from imagesmith.base import imageroot
from imagesmith.base.imageroot import ImageRoot
from imagesmith.base.minimal import plan_minimal
from imagesmith.base.sysroot import FolderRoot
from imagesmith.errors import BaseError
from imagesmith.layer.build import build_layer
from imagesmith.layer.store import Scratch
from imagesmith.oci.spec import MediaType
from tests.base.elves import read
from tests.base.layers import (
    Named,
    archive,
    as_layer,
    file,
    folder,
    hard,
    layer,
    link,
    listing,
    root,
    tree,
)

LOWER = (
    folder("a/"),
    folder("a/b/"),
    folder("a/b/c/"),
    file("a/b/c/bar", b"bar"),
    file("a/top", b"top"),
)


def of(*layers: tuple[Named, ...]) -> dict[str, str]:
    with root(*(layer(*items) for items in layers)) as image:
        return listing(image)


def test_a_whiteout_hides_a_file_or_a_folder_below() -> None:
    kept = {"/a": "/", "/a/b": "/", "/a/b/c": "/", "/a/b/c/bar": "bar"}
    assert of(LOWER, (file("a/.wh.top"),)) == kept
    assert of(LOWER, (file("./a/.wh.b"),)) == {"/a": "/", "/a/top": "top"}
    assert of(LOWER, (file("a/.wh.gone"), file("gone/.wh.x"))) == of(LOWER)


@pytest.mark.parametrize("first", [True, False])
def test_whiteouts_hide_nothing_of_their_own_layer(first: bool) -> None:
    """The specification's own example, in both orders."""
    added = (folder("a/b/"), folder("a/b/c/"), file("a/b/c/foo", b"foo"))
    opaque = (file("a/.wh..wh..opq"),)
    upper = (folder("a/"), *opaque, *added) if first else (folder("a/"), *added, *opaque)
    assert of(LOWER, upper) == {"/a": "/", "/a/b": "/", "/a/b/c": "/", "/a/b/c/foo": "foo"}
    same = (file("a/top", b"new"), file("a/.wh.top"))
    assert of(LOWER, same if first else same[::-1])["/a/top"] == "new"


def test_what_was_hidden_can_come_back() -> None:
    assert of(LOWER, (file(".wh.a"),), (file("a/x", b"x"),)) == {"/a": "/", "/a/x": "x"}


def test_records_of_aufs_are_no_files() -> None:
    assert of((file(".wh..wh.plnk/1"), file(".wh..wh.aufs"), file("x", b"x"))) == {"/x": "x"}


def test_folders_are_joined_and_all_else_is_replaced() -> None:
    assert of(LOWER, (folder("a/", 0o700),)) == of(LOWER)
    with root(layer(*LOWER), layer(folder("a/", 0o700))) as image:
        entry = image.entry("/a")
        assert entry
        assert stat.S_IMODE(entry.mode) == 0o700
    assert of(LOWER, (file("a", b"now a file"),)) == {"/a": "now a file"}
    assert of(LOWER, (link("a", "b"),)) == {"/a": "-> b"}
    assert of((file("a", b"f"),), LOWER) == of(LOWER)
    assert of((link("a", "x"), folder("x/")), (folder("a/"),)) == {"/a": "/", "/x": "/"}


def test_a_link_on_the_way_is_followed_and_never_leads_out() -> None:
    """containerd: fs.RootPath on the parent; so a layer for /lib fits a merged /usr."""
    merged = (folder("usr/lib/"), link("lib", "usr/lib"), link("up", "../../../usr"))
    found = of(merged, (file("lib/one.so", b"1"), file("up/lib/two.so", b"2")))
    assert (found["/usr/lib/one.so"], found["/usr/lib/two.so"]) == ("1", "2")
    assert found["/lib"] == "-> usr/lib"
    assert of(merged, (file("lib/x", b"x"),), (file("lib/.wh.x"),)) == of(merged)


@pytest.mark.parametrize("name", ["/x/y", "./x/y", "x//y", "x/./y", "../x/y", "z/../x/y", "//x/y"])
def test_however_a_name_is_written_it_lies_below_the_top(name: str) -> None:
    assert of((file(name, b"data"),)) == {"/x": "/", "/x/y": "data"}


def test_hard_links_share_a_file_of_this_layer_or_one_below() -> None:
    lower = (file("a", b"data", 0o755), hard("b", "a"), hard("./c", "/a"))
    assert of(lower) == {"/a": "data", "/b": "data", "/c": "data"}
    assert of(lower, (hard("d", "b"), file(".wh.x"))) == {**of(lower), "/d": "data"}
    # A file that takes the place of one name leaves the other.
    assert of(lower, (file("a", b"new"),))["/b"] == "data"
    with root(layer(*lower)) as image:
        entry = image.entry("/b")
        assert entry
        assert entry.mode & stat.S_IXUSR


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ((hard("a", "gone"),), "a is a hard link to gone, which is no file"),
        ((folder("d/"), hard("a", "d")), "a is a hard link to d, which is no file"),
        ((file("f"), file("f/x")), "/f/x would lie in what is no folder"),
        ((link("l", "l"), file("l/x")), "/l/x would lie in what is no folder"),
        ((file(".wh."),), "a whiteout of no file"),
        ((file("a/.wh.."),), "a whiteout of no file"),
        ((file("a/.wh..."),), "a whiteout of no file"),
        ((file("x/" * 3000),), "a path of"),
    ],
)
def test_what_a_runtime_would_refuse_is_refused(items: tuple[Named, ...], problem: str) -> None:
    made = layer(*items)
    with pytest.raises(BaseError, match=f"^image: layer {made.descriptor.digest}: .*{problem}"):
        root(made)


PLAIN = archive(LOWER)
PACKED = gzip.compress(PLAIN)


@pytest.mark.parametrize(
    ("blob", "problem"),
    [
        (PACKED[:-9], "cannot be unpacked"),
        (PACKED[: len(PACKED) // 2], "cannot be unpacked"),
        (b"", "cannot be unpacked"),
        (b"no gzip at all", "cannot be unpacked"),
        (PACKED + b"rubbish", "cannot be unpacked"),
        (PACKED[:-8] + b"\0" * 8, "cannot be unpacked"),
        (gzip.compress(PLAIN + b"\0"), "its content is not sha256:"),
    ],
    ids=["cut", "half", "empty", "no gzip", "rubbish behind", "wrong sum", "other content"],
)
def test_a_damaged_layer_is_named(blob: bytes, problem: str) -> None:
    made = as_layer(PLAIN, blob=blob)
    with pytest.raises(BaseError, match=f"layer {made.descriptor.digest}: .*{problem}"):
        root(made)


def test_gzip_may_have_many_members_and_padding() -> None:
    half = len(PLAIN) // 2
    blob = gzip.compress(PLAIN[:half]) + gzip.compress(b"") + gzip.compress(PLAIN[half:])
    for padding in (b"", bytes(700)):
        with root(as_layer(PLAIN, blob=blob + padding)) as image:
            assert listing(image) == of(LOWER)


def test_a_layer_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imageroot, "MAX_BYTES", 1 << 20)
    made = as_layer(bytes(1 << 24))
    assert made.descriptor.size < 1 << 15
    with pytest.raises(BaseError, match="unpacks to more than"):
        root(made)
    monkeypatch.setattr(imageroot, "MAX_ENTRIES", 3)
    with pytest.raises(BaseError, match="more than 3 files"):
        root(layer(*LOWER))


def test_a_plain_tar_is_read_as_well() -> None:
    with root(layer(*LOWER, kind=MediaType.LAYER_TAR)) as image:
        assert listing(image) == of(LOWER)


def test_zstd_without_its_library_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(BaseError, match="compressed with zstd") as raised:
        root(as_layer(PLAIN, MediaType.LAYER_ZSTD))
    assert "pip install zstandard" in str(raised.value.hint)


class ZstdError(Exception):
    pass


class StandIn:
    """What is asked of the library; it unpacks nothing."""

    def stream_reader(self, blob: io.BytesIO, *, read_across_frames: bool) -> io.BytesIO:
        if blob.getvalue() == b"damaged":
            raise ZstdError
        return blob


def test_zstd_with_its_library_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("zstandard")
    vars(module).update(ZstdDecompressor=StandIn, ZstdError=ZstdError)
    monkeypatch.setitem(sys.modules, "zstandard", module)
    with root(as_layer(PLAIN, MediaType.LAYER_ZSTD)) as image:
        assert listing(image) == of(LOWER)


def test_a_sparse_file_is_there_but_is_not_read() -> None:
    item, _ = file("sparse")
    item.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "sparse"}
    with root(layer((item, b""), file("x", b"x"))) as image:
        assert image.text("/x") == "x"
        with pytest.raises(BaseError, match="/sparse cannot be read"):
            image.text("/sparse")


def test_a_file_can_be_read_from_anywhere() -> None:
    with root(layer(file("before", b"-" * 999), file("f", b"0123456789"))) as image:
        with image.open("/f") as opened:
            assert (opened.read(2), opened.seek(-3, 2), opened.read()) == (b"01", 7, b"789")
            assert (opened.seek(20), opened.read(), opened.seek(1), opened.read(1)) == (
                *(20, b""),
                *(1, b"1"),
            )
        with pytest.raises(BaseError, match="cannot be read"):
            image.open("/gone")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system in a folder: this machine's minimal base, unpacked."""
    top = tmp_path_factory.mktemp("small")
    host = FolderRoot(Path("/"))
    store = Scratch(tmp_path_factory.mktemp("store"))
    for plan in plan_minimal(host, {"/x": read(Path("/bin/tar").resolve())}):
        built = build_layer(plan, store)
        with built.open() as blob, tarfile.open(fileobj=blob, mode="r:gz") as tar:
            tar.extractall(top, filter="tar")
    return top


def test_an_image_gives_the_same_minimal_base_as_its_files_in_a_folder(small: Path) -> None:
    files = {"/app/x": read(Path("/bin/tar").resolve())}
    expected = [plan.key for plan in plan_minimal(FolderRoot(small), files)]
    lower = tree(small, lambda path: "lib" not in path.name)
    upper = tree(small, lambda path: "lib" in path.name)
    spoilt = [file("usr/share/zoneinfo/Made/Up", b"hidden later"), file("etc/group", b"replaced")]
    hidden = [file("usr/share/zoneinfo/.wh.Made")]
    layers = [as_layer(archive(spoilt)), as_layer(lower), as_layer(upper), layer(*hidden)]
    with ImageRoot(layers, "image") as image:
        assert [plan.key for plan in plan_minimal(image, files)] == expected
