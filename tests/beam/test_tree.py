"""A folder as a tree: what is found in it, what can be read, and which links lead out."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from imagesmith.beam.tree import (
    CHUNK_BYTES,
    MAX_LINK_HOPS,
    EmptyFolder,
    File,
    Folder,
    Link,
    Special,
    check_links,
    show_path,
)
from imagesmith.errors import ReleaseError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rel").mkdir()
    return tmp_path / "rel"


def test_everything_is_found_sorted_by_path(folder: Path) -> None:
    (folder / "b/c").mkdir(parents=True)
    (folder / "b/c/file").write_bytes(b"four")
    (folder / "b-1").write_bytes(b"")
    (folder / "b-1").chmod(0o700)
    (folder / "b/empty").mkdir()
    (folder / "a").symlink_to("b/./c//file")
    assert list(Folder(folder).entries.items()) == [
        ("a", Link("b/./c//file")),
        ("b-1", File(0, executable=True)),
        ("b/c/file", File(4, executable=False)),
        ("b/empty", EmptyFolder()),
    ]


def test_an_empty_folder_is_a_tree_with_nothing_in_it(folder: Path) -> None:
    assert Folder(folder).entries == {}


def test_only_the_owners_right_to_execute_counts(folder: Path) -> None:
    (folder / "group").write_bytes(b"")
    (folder / "group").chmod(0o655)
    assert Folder(folder).entries["group"] == File(0, executable=False)


def test_a_link_to_a_folder_is_a_link_and_is_not_entered(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real/file").write_bytes(b"")
    (folder / "link").symlink_to("real", target_is_directory=True)
    assert list(Folder(folder).entries) == ["link", "real/file"]


def test_what_no_image_can_hold_is_said_by_kind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "fifo")
    monkeypatch.chdir(folder)  # the path of a socket may have no more than 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        entries = Folder(folder).entries
    assert entries == {"fifo": Special("a fifo"), "socket": Special("a socket")}


def test_a_device_is_special_too() -> None:
    assert Folder(Path("/dev")).entries["null"] == Special("a device")


def test_folders_may_lie_very_deep(folder: Path) -> None:
    deep = "/".join("d" * 1500)  # Python's own makedirs and rmtree would not get there and back
    subprocess.run(["mkdir", "-p", deep], cwd=folder, check=True)
    try:
        assert Folder(folder).entries == {deep: EmptyFolder()}
    finally:
        subprocess.run(["rm", "-r", "d"], cwd=folder, check=True)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda path: None, "there is no such folder", id="missing"),
        pytest.param(lambda path: path.write_text("x"), "this is no folder", id="a file"),
        pytest.param(
            lambda path: path.symlink_to("gone"), "there is no such folder", id="dangling"
        ),
    ],
)
def test_what_is_no_folder_is_refused(
    tmp_path: Path, make: Callable[[Path], object], problem: str
) -> None:
    place = tmp_path / "place"
    make(place)
    with pytest.raises(UsageError) as caught:
        Folder(place)
    assert caught.value.message == f"{place}: {problem}"
    assert caught.value.hint and "mix release" in caught.value.hint


def test_a_folder_may_be_given_as_a_link_to_it(tmp_path: Path, folder: Path) -> None:
    (folder / "file").write_bytes(b"x")
    (tmp_path / "current").symlink_to("rel")
    assert list(Folder(tmp_path / "current").entries) == ["file"]


# --- reading ----------------------------------------------------------------


def test_a_file_is_read_whole_from_its_start_or_in_pieces(folder: Path) -> None:
    data = bytes(range(256)) * 5000
    (folder / "file").write_bytes(data)
    tree = Folder(folder)
    assert tree.read("file") == data
    assert tree.read("file", 4) == data[:4]
    pieces = list(tree.stream("file"))
    assert b"".join(pieces) == data
    assert [len(piece) for piece in pieces] == [CHUNK_BYTES, len(data) - CHUNK_BYTES]
    with tree.open("file") as file:
        file.seek(-1, os.SEEK_END)
        assert file.read() == b"\xff"


READERS: list[Callable[[Folder, str], object]] = [
    Folder.open,
    Folder.read,
    lambda tree, path: list(tree.stream(path)),
]


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    folder: Path, read: Callable[[Folder, str], object]
) -> None:
    (folder / "line\nbreak").write_bytes(b"x")
    tree = Folder(folder)
    (folder / "line\nbreak").unlink()
    with pytest.raises(ReleaseError) as caught:
        read(tree, "line\nbreak")
    message = f"{folder}: 'line\\nbreak' cannot be read: No such file or directory"
    assert caught.value.message == message


@pytest.mark.parametrize("read", READERS[1:])
def test_an_error_while_reading_is_a_release_error(read: Callable[[Folder, str], object]) -> None:
    tree = Folder(Path("/proc/self/attr"))
    tree.root = Path("/proc/self")  # its file mem opens, but has nothing at address 0
    with pytest.raises(ReleaseError, match="mem cannot be read: Input/output error"):
        read(tree, "mem")


@pytest.mark.parametrize("read", READERS)
def test_nobody_waits_for_a_fifo(folder: Path, read: Callable[[Folder, str], object]) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(ReleaseError, match="pipe cannot be read: it is a fifo"):
        read(Folder(folder), "pipe")


def test_a_folder_that_cannot_be_listed_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: bytes) -> object:
        if path.endswith(b"closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # for root no folder is closed
    with pytest.raises(ReleaseError) as caught:
        Folder(folder)
    assert caught.value.message == f"{folder}: closed cannot be read: Permission denied"


# --- names ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"lib/caf\xc3\xa9 1/a'b", "lib/café 1/a'b"),
        (b"new\nline", r"'new\nline'"),
        (b"bad\xff", r"'bad\udcff'"),
        (b"\x1b[31mred", r"'\x1b[31mred'"),
        (b"left\xe2\x80\xaeright", r"'left\u202eright'"),
    ],
)
def test_a_name_that_a_terminal_might_take_amiss_is_shown_escaped(name: bytes, shown: str) -> None:
    assert show_path(os.fsdecode(name)) == shown
    assert show_path(os.fsdecode(name)).encode()


def test_the_trees_own_name_is_shown_escaped(tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"new\nline\xff")
    place.mkdir()
    assert Folder(place).name == ascii(str(place))


def test_a_name_that_is_no_utf8_is_found_and_read(folder: Path) -> None:
    name = os.fsdecode(b"bad\xff")
    (folder / name).write_bytes(b"x")
    tree = Folder(folder)
    assert tree.entries[name] == File(1, executable=False)
    assert tree.read(name) == b"x"


# --- links ------------------------------------------------------------------


def _tree(folder: Path, links: Mapping[str, str]) -> Folder:
    for path in ("lib/a-1/priv/file", "bin/shop"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    for path, target in links.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)
    return Folder(folder)


@pytest.mark.parametrize(
    "links",
    [
        pytest.param({"link": "bin/shop"}, id="a file"),
        pytest.param({"lib/a-1/priv/link": "../../../bin/shop"}, id="up to the root, and down"),
        pytest.param({"lib/a-1/link": "priv"}, id="a folder"),
        pytest.param({"link": "gone"}, id="dangling"),
        pytest.param({"link": "lib/gone/too"}, id="dangling deep"),
        pytest.param({"link": "."}, id="the root"),
        pytest.param({"lib/link": ".."}, id="the root, from below"),
        pytest.param({"link": "link"}, id="itself"),
        pytest.param({"a": "b", "b": "a"}, id="a loop"),
        pytest.param({"a": "b/x", "b": "a/y"}, id="a loop that grows"),
        pytest.param({"a": "./lib/../lib//a-1/./priv/"}, id="an odd way"),
        pytest.param({"top": "lib/a-1/priv", "link": "top/../../../bin"}, id="up from a link"),
    ],
)
def test_a_link_that_stays_inside_is_fine(folder: Path, links: Mapping[str, str]) -> None:
    tree = _tree(folder, links)
    check_links(tree, tree.entries)


@pytest.mark.parametrize(
    ("links", "guilty"),
    [
        pytest.param({"link": "../secret"}, "link -> ../secret", id="directly"),
        pytest.param({"link": ".."}, "link -> ..", id="the folder above"),
        pytest.param({"lib/a-1/l": "../../../x"}, "lib/a-1/l -> ../../../x", id="from below"),
        pytest.param({"link": "/etc/passwd"}, "link -> /etc/passwd", id="absolute"),
        pytest.param({"link": "lib/../../rel/bin"}, "link -> lib/../../rel/bin", id="and back"),
        pytest.param({"link": "gone/../../x"}, "link -> gone/../../x", id="by what is missing"),
        pytest.param(
            {"lib/a-1/priv/up": "../../..", "out": "lib/a-1/priv/up/../x"},
            "out -> lib/a-1/priv/up/../x",
            id="in steps",
        ),
        pytest.param(
            {"lib/deep": "../bin", "out": "lib/deep/../../x"},
            "out -> lib/deep/../../x",
            id="by a link that is less deep than it looks",
        ),
        pytest.param({"new\nline": "/x\ny"}, r"'new\nline' -> '/x\ny'", id="shown escaped"),
    ],
)
def test_a_link_that_leaves_the_tree_is_refused(
    folder: Path, links: Mapping[str, str], guilty: str
) -> None:
    tree = _tree(folder, links)
    with pytest.raises(ReleaseError) as caught:
        check_links(tree, tree.entries)
    assert caught.value.message == f"{folder}: the symbolic link {guilty} leaves the release"
    assert caught.value.hint and "{dev_mode, false}" in caught.value.hint


def test_a_link_into_the_tree_by_its_own_absolute_path_is_refused(folder: Path) -> None:
    tree = _tree(folder, {"link": str(folder / "bin/shop")})
    with pytest.raises(ReleaseError, match="leaves the release"):
        check_links(tree, tree.entries)


def test_a_chain_counts_as_the_kernel_counts(folder: Path) -> None:
    # The kernel gives up after 40 links, so what would come after them is never reached.
    chain = {f"{number:03}": f"{number + 1:03}" for number in range(MAX_LINK_HOPS)}
    tree = _tree(folder, chain | {f"{MAX_LINK_HOPS:03}": "bin/../../x"})
    check_links(tree, ["000"])
    with pytest.raises(ReleaseError, match="001 -> 002 leaves"):
        check_links(tree, ["001"])


def test_only_the_links_asked_about_are_checked(folder: Path) -> None:
    tree = _tree(folder, {"good": "bin", "wrong": "/"})
    check_links(tree, ["good", "bin/shop"])
