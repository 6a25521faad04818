"""A release in a `.tar.gz`: read as the folder would be, and without trusting it."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesmith.beam import archive as module
from imagesmith.beam.archive import Archive, open_tree
from imagesmith.beam.release import read_release
from imagesmith.beam.tree import EmptyFolder, File, Folder, Link
from imagesmith.errors import ReleaseError, UsageError
from tests.trees import make_release

Change = Callable[[tarfile.TarFile], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = make_release(tmp_path / "shop")
    priv = folder / "lib/shop-0.1.0/priv"
    (priv / "current").symlink_to("static/robots.txt")
    (priv / "empty").mkdir()
    (priv / ("long" * 40)).write_bytes(b"a name that a header has no room for")
    return folder


def gnu_tar(folder: Path, *arguments: str) -> Path:
    packed = folder.parent / "shop.tar.gz"
    subprocess.run(["tar", "-czf", packed, *arguments], check=True, cwd=folder.parent)
    return packed


LAYOUTS = {
    "its files": ("-C", "shop", "bin", "erts-13.1.5", "lib", "releases"),
    "the folder's inside": ("-C", "shop", "."),
    "the folder": ("shop",),
    "pax": ("--format=pax", "shop"),
}


@pytest.mark.parametrize("arguments", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_it_holds_what_the_folder_holds_however_it_was_packed(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    packed, lying = Archive(gnu_tar(folder, *arguments)), Folder(folder)
    assert dict(packed.entries) == dict(lying.entries)
    assert list(packed.entries) == list(lying.entries)
    for path, entry in lying.entries.items():
        if isinstance(entry, File):
            assert packed.read(path) == lying.read(path)
            assert b"".join(packed.stream(path)) == lying.read(path)
    assert packed.entries["lib/shop-0.1.0/priv/empty"] == EmptyFolder()
    assert packed.entries["lib/shop-0.1.0/priv/current"] == Link("static/robots.txt")
    assert read_release(packed).paths == read_release(lying).paths


def test_a_tree_is_a_folder_or_an_archive(folder: Path) -> None:
    assert isinstance(open_tree(folder), Folder)
    assert isinstance(open_tree(gnu_tar(folder, "shop")), Archive)
    with pytest.raises(UsageError, match="there is no such folder"):
        open_tree(folder / "gone")
    with pytest.raises(UsageError, match="there is no such archive"):
        Archive(folder)


def test_files_are_read_in_any_order_and_outlive_the_archive(folder: Path) -> None:
    packed = Archive(gnu_tar(folder, "shop"))
    first, second = packed.open("releases/start_erl.data"), packed.open("bin/shop")
    del packed
    assert second.read(4) == b"#!/b"
    assert first.read() == b"13.1.5 0.1.0"
    second.seek(-3, os.SEEK_END)
    assert (second.tell(), second.read(), second.read()) == (14, b"-e\n", b"")
    first.close()
    second.close()


def test_what_is_no_file_cannot_be_opened(folder: Path) -> None:
    packed = Archive(gnu_tar(folder, "shop"))
    for path in ("lib", "gone", "lib/shop-0.1.0/priv/current"):
        with pytest.raises(ReleaseError, match=f"{path} cannot be read: it is no file"):
            packed.open(path)


def test_a_hard_link_is_the_file_that_it_leads_to(folder: Path) -> None:
    (folder / "bin/again").hardlink_to(folder / "bin/shop")
    packed = Archive(gnu_tar(folder, "shop"))
    assert packed.entries["bin/again"] == packed.entries["bin/shop"]
    assert packed.read("bin/again") == packed.read("bin/shop")


# --- not trusted -------------------------------------------------------------


def made(path: Path, change: Change) -> Path:
    with tarfile.open(path / "x.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as packed:
        _add(packed, "releases/start_erl.data", b"13.1.5 0.1.0")
        change(packed)
    return path / "x.tar.gz"


def _add(packed: tarfile.TarFile, name: str, data: bytes = b"x", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    packed.addfile(member, io.BytesIO(data))


def _special(kind: bytes) -> Change:
    return lambda packed: _add(packed, "bin/x", b"", type=kind)


def _several(*names: str) -> Change:
    def change(packed: tarfile.TarFile) -> None:
        for name in names:
            _add(packed, name)

    return change


def _twice(name: str, **fields: object) -> Change:
    def change(packed: tarfile.TarFile) -> None:
        _add(packed, "bin/x", b"one")
        _add(packed, name, b"one" if fields else b"two", **fields)

    return change


def _hard(target: str) -> Change:
    return lambda packed: _add(packed, "bin/x", b"", type=tarfile.LNKTYPE, linkname=target)


def _refused(path: Path) -> str:
    with pytest.raises(ReleaseError) as caught:
        Archive(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.message.isprintable()
    assert caught.value.hint
    return caught.value.message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_several("/etc/passwd"), "the path /etc/passwd leads out of it"),
        (_several("../x"), "the path ../x leads out of it"),
        (_several("lib/../../x"), "the path lib/../../x leads out of it"),
        (_several("bin/a\n/../x"), r"the path 'bin/a\n/../x' leads out of it"),
        (_twice("bin/x"), "bin/x is in it twice, and differs"),
        (_twice("./bin//x"), "bin/x is in it twice, and differs"),
        (_twice("bin/x", mode=0o755), "bin/x is in it twice, and differs"),
        (_several("bin/x", "bin/x/y"), "bin/x is in it as a folder and as something else"),
        (_special(tarfile.FIFOTYPE), "bin/x is a fifo, which no image can hold"),
        (_special(tarfile.CHRTYPE), "bin/x is a device, which no image can hold"),
        (_special(tarfile.BLKTYPE), "bin/x is a device, which no image can hold"),
        (_hard("bin/later"), "the hard link bin/x leads to bin/later, which is no file before it"),
        (_hard("/etc/passwd"), "the path /etc/passwd leads out of it"),
    ],
)
def test_what_no_archive_of_a_release_holds_is_refused(
    tmp_path: Path, change: Change, problem: str
) -> None:
    assert _refused(made(tmp_path, change)) == problem


def test_a_file_may_not_lie_below_a_link(tmp_path: Path) -> None:
    """As an attack on those who unpack would have it: first the link out, then a file by it."""

    def change(packed: tarfile.TarFile) -> None:
        _add(packed, "lib/x", b"", type=tarfile.SYMTYPE, linkname="/etc")
        _add(packed, "lib/x/passwd")

    assert _refused(made(tmp_path, change)).startswith("lib/x is in it as a folder and")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../x"])
def test_a_link_that_leaves_the_release_is_refused_when_it_is_read(
    folder: Path, target: str
) -> None:
    (folder / "bin/link").symlink_to(target)
    with pytest.raises(ReleaseError, match=rf"bin/link -> {target} leaves the release"):
        read_release(Archive(gnu_tar(folder, "shop")))


def test_the_same_twice_is_once(tmp_path: Path) -> None:
    """So mix packs the files that an overlay put into `bin`."""
    packed = Archive(made(tmp_path, _several("bin/x", "./bin/x")))
    assert packed.read("bin/x") == b"x"


def test_nothing_is_written_but_one_file_without_a_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gnu_tar(folder, "shop")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    before = sorted(tmp_path.rglob("*"))
    assert Archive(packed).read("bin/shop")
    assert sorted(tmp_path.rglob("*")) == before


def test_cut_short_anywhere_it_is_refused(folder: Path) -> None:
    packed = gnu_tar(folder, "shop")
    whole = packed.read_bytes()
    for size in {1, 9, 10, 11, len(whole) // 2, len(whole) - 9, len(whole) - 1}:
        packed.write_bytes(whole[:size])
        assert "it is cut short" in _refused(packed) or size < 10


def test_a_tar_cut_short_inside_its_gzip_is_refused(tmp_path: Path) -> None:
    packed = made(tmp_path, _several("bin/a", "bin/b"))
    tar = gzip.decompress(packed.read_bytes())
    assert tar[3072:] == bytes(len(tar) - 3072)  # three members, a header and a block each
    for size in (*range(1, 3072, 37), 512, 1024, 1536, 2048, 2560, 3072):
        packed.write_bytes(gzip.compress(tar[:size]))
        assert "cut short" in _refused(packed)


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    packed = made(tmp_path, _several("bin/a", "bin/b"))
    tar = bytearray(gzip.decompress(packed.read_bytes()))
    tar[2048 + 100] ^= 1
    packed.write_bytes(gzip.compress(tar))
    assert "broken" in _refused(packed)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"bin/shop", gzip.compress(b"no tar", mtime=0)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    assert "broken" in _refused(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE_BYTES", 1 << 20)
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    data = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(data)
    assert f"{len(data)} bytes unpack to more than" in _refused(path)


def test_a_header_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(member.tobuf() + bytes(4096)))
    assert "a header of" in _refused(path)


def test_more_entries_than_any_release_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 2)
    path = made(tmp_path, _several("a", "b", "c", "d"))
    assert _refused(path) == "it has more than 2 entries"
