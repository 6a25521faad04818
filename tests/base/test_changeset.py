"""Python's tarfile writes what is read here; both must find the same in it."""

from __future__ import annotations

import os
import stat
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesmith.base.changeset import Change, DamagedTarError, read_changes
from tests.base.layers import archive, file, folder, hard, link

LONG = "d" * 120 + "/" + "f" * 140
ITEMS = (
    folder("a/", 0o1777),
    file("a/file", b"x" * 1000, 0o4755),
    link("a/link", "../target"),
    hard("a/hard", "a/file"),
    file(LONG, b"long"),
    link("far", LONG),
    hard("again", LONG),
    file("käse-ß-語", b"name"),
    file("end"),
)


def changes(data: bytes) -> list[Change]:
    with tempfile.TemporaryFile() as to:
        to.write(b"before" + data)
        to.flush()
        found = list(read_changes(to.fileno(), 6, 6 + len(data)))
        for change in found:
            if stat.S_ISREG(change.mode) and change.offset is not None and not change.hard:
                assert len(os.pread(to.fileno(), change.size, change.offset)) == change.size
        return found


@pytest.mark.parametrize("form", [0, 1, 2], ids=["ustar", "gnu", "pax"])
def test_every_form_that_tarfile_writes_is_read(form: int) -> None:
    items = (
        ITEMS if form else [item for item in ITEMS if LONG not in (item[0].name, item[0].linkname)]
    )
    found = changes(archive(items, form))
    assert [change.path.rstrip("/") for change in found] == [
        item.name.rstrip("/") for item, _ in items
    ]
    for change, (item, data) in zip(found, items, strict=True):
        assert (change.hard if item.islnk() else change.target or None) == (item.linkname or None)
        assert stat.S_IMODE(change.mode) == item.mode
        assert stat.S_ISDIR(change.mode) == item.isdir()
        assert stat.S_ISLNK(change.mode) == item.issym()
        assert change.size == len(data)


def test_an_archive_may_end_without_its_end() -> None:
    data = archive([file("x", b"1")])
    assert len(changes(data[:1024])) == 1
    assert changes(b"") == []


def test_a_size_of_any_kind_is_read() -> None:
    """Base 256 is GNU's way for more than 8 GiB."""
    header = bytearray(archive([file("x")])[:512])
    for field in (
        b"00000000003\0",
        b"0000000003 \0",
        b"\x80" + bytes(10) + b"\x03",
        b"  3 ".ljust(12, b"\0"),
    ):
        header[124:136] = field
        (change,) = changes(sealed(header) + b"abc".ljust(512, b"\0"))
        assert change.size == 3


def sealed(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"77777777777\0"])
def test_sizes_that_cannot_be_are_refused(size: bytes) -> None:
    header = bytearray(archive([file("x")])[:512])
    header[124:136] = size
    with pytest.raises(DamagedTarError):
        changes(sealed(header))


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_header_of_gigabytes_is_not_read(kind: bytes) -> None:
    header = bytearray(archive([file("x")])[:512])
    header[124:136] = b"77777777777\0"
    header[156:157] = kind
    with pytest.raises(DamagedTarError, match="a header of 8589934591 bytes"):
        changes(sealed(header))


@pytest.mark.parametrize(
    "records",
    [b"nonsense", b"10 path=x", b"99 path=x\n", b"-1 path=x\n", b"8 path=\n9 a", b"3 =\n"],
)
def test_damaged_pax_records_are_refused(records: bytes) -> None:
    header = bytearray(archive([file("x")])[:512])
    header[124:136] = b"%011o\0" % len(records)
    header[156:157] = b"x"
    with pytest.raises(DamagedTarError, match="PAX"):
        changes(sealed(header) + records.ljust(512, b"\0"))


def test_gnus_sparse_files_are_skipped_whole() -> None:
    header = bytearray(archive([file("sparse")])[:512])
    header[156:157], header[482] = b"S", 1
    header[124:136] = b"%011o\0" % 5
    more = bytearray(512)
    more[504] = 1
    data = sealed(header) + bytes(more) + bytes(512) + b"12345".ljust(512, b"\0")
    found = changes(data + archive([file("after", b"x")]))
    assert [(change.path, change.offset is None) for change in found] == [
        ("sparse", True),
        ("after", False),
    ]


SOUND = archive(ITEMS)


@settings(max_examples=200, deadline=2000)
@given(data=st.data())
def test_whatever_is_damaged_is_read_or_refused_in_words(data: st.DataObject) -> None:
    damaged = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(SOUND) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(SOUND)) | st.integers(0, len(SOUND)))
    try:
        assert len(changes(bytes(damaged[:cut]))) <= len(SOUND) // 512
    except DamagedTarError as error:
        assert str(error).startswith("its tar ")
