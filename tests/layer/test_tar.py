from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagesmith.errors import ReleaseError
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.tar import members_in_order, tar

YEAR_1980 = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())


def file(path: str, data: bytes = b"", *, executable: bool = False) -> FileMember:
    return FileMember(path, Content.of_bytes(data), executable)


def archive(members: Iterable[Member], prefix: str = "") -> bytes:
    return b"".join(tar(members, prefix))


def entries(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        return opened.getmembers()


def contents(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        files = [(info.name, opened.extractfile(info)) for info in opened if info.isfile()]
        return {name: held.read() for name, held in files if held is not None}


def gnu_tar_names(data: bytes) -> list[str]:
    listed = subprocess.run(
        ["tar", "--quoting-style=literal", "-tf", "-"], input=data, capture_output=True, check=True
    )
    assert listed.stderr == b""
    return listed.stdout.decode().splitlines()


SMALL: tuple[Member, ...] = (
    file("bin/shop", b"#!/bin/sh\n", executable=True),
    file("lib/shop/ebin/Elixir.Shop.beam", b"FOR1"),
    file("lib/shop/priv/static/app.css", b"body {}\n"),
    LinkMember("lib/shop-0.1.0", "shop"),
    FolderMember("tmp", 0o1777),
)


def test_the_bytes_of_an_archive_never_change() -> None:
    data = archive(SMALL, "app")
    # A change here changes every layer of every user: it takes a new `WRITER`.
    assert hashlib.sha256(data).hexdigest() == GOLDEN
    assert len(data) == 10240


GOLDEN = "0de6c748b0f40d3a9dd4eeb3b78fa39f3c61ab7320405462fe4a84f61ffa98d3"


def test_gnu_tar_lists_every_member_with_its_mode_owner_and_time() -> None:
    listed = subprocess.run(
        ["tar", "--numeric-owner", "--utc", "--full-time", "-tvf", "-"],
        input=archive(SMALL, "app"),
        capture_output=True,
        check=True,
        text=False,
    )
    lines = [" ".join(line.split()) for line in listed.stdout.decode().splitlines()]
    priv = YEAR_1980 + (int(hashlib.sha256(b"body {}\n").hexdigest()[:8], 16) >> 4)
    changed = datetime.fromtimestamp(priv, UTC).strftime("%Y-%m-%d %H:%M:%S")
    assert lines == [
        "drwxr-xr-x 0/0 0 1980-01-01 00:00:00 app/",
        "drwxr-xr-x 0/0 0 1980-01-01 00:00:00 app/bin/",
        "-rwxr-xr-x 0/0 10 1980-01-01 00:00:00 app/bin/shop",
        "drwxr-xr-x 0/0 0 1980-01-01 00:00:00 app/lib/",
        "drwxr-xr-x 0/0 0 1980-01-01 00:00:00 app/lib/shop/",
        "lrwxrwxrwx 0/0 0 1980-01-01 00:00:00 app/lib/shop-0.1.0 -> shop",
        "drwxr-xr-x 0/0 0 1980-01-01 00:00:00 app/lib/shop/ebin/",
        "-rw-r--r-- 0/0 4 1980-01-01 00:00:00 app/lib/shop/ebin/Elixir.Shop.beam",
        "drwxr-xr-x 0/0 0 1980-01-01 00:00:00 app/lib/shop/priv/",
        "drwxr-xr-x 0/0 0 1980-01-01 00:00:00 app/lib/shop/priv/static/",
        f"-rw-r--r-- 0/0 8 {changed} app/lib/shop/priv/static/app.css",
        "drwxrwxrwt 0/0 0 1980-01-01 00:00:00 app/tmp/",
    ]


def test_no_owner_has_a_name() -> None:
    assert {(e.uid, e.gid, e.uname, e.gname) for e in entries(archive(SMALL))} == {(0, 0, "", "")}


def test_members_are_in_the_order_of_their_path_bytes_whatever_order_they_came_in() -> None:
    members = [file(path) for path in ("b", "a/é", "a/z", "a.b", "a-b", "a/é/deep", "B")][:5]
    data = archive(members)
    assert archive(reversed(members)) == data
    names = [entry.name for entry in entries(data)]
    assert names == sorted(names, key=str.encode)


def test_a_file_outside_of_priv_has_the_constant_time_whatever_it_holds() -> None:
    data = archive([file("lib/shop/private/x", b"1"), file("lib/privy", b"2")])
    assert {entry.mtime for entry in entries(data)} == {YEAR_1980}


def test_a_changed_file_of_equal_size_in_priv_has_another_time_between_1980_and_1989() -> None:
    times = {
        entry.mtime
        for text in (b"red", b"fed", b"bed")
        for entry in entries(archive([file("lib/shop/priv/x", text)]))
        if entry.isfile()
    }
    assert len(times) == 3
    assert all(1980 <= datetime.fromtimestamp(time, UTC).year < 1989 for time in times)


def test_members_in_order_says_what_the_archive_holds() -> None:
    held = [member.path for member in members_in_order(SMALL, "app")]
    assert held == [entry.name for entry in entries(archive(SMALL, "app"))]


LENGTHS = (*range(95, 106), *range(150, 161), *range(250, 262), 1000)
CUTS = (0, 1, 50, 99, 100)


@pytest.mark.parametrize("kind", [file, FolderMember, lambda path: LinkMember(path, "target")])
def test_paths_of_every_length_are_read_by_tarfile_and_gnu_tar(
    kind: Callable[[str], Member],
) -> None:
    """The only slash is CUT from the end: USTAR can cut a path there or nowhere."""
    paths = {
        "d" * (length - 1 - cut) + "/" + "f" * cut if 0 < cut < length - 1 else "f" * length
        for length in LENGTHS
        for cut in CUTS
    }
    data = archive(map(kind, paths))
    expected = sorted(paths | {path.partition("/")[0] for path in paths}, key=str.encode)
    assert [entry.name for entry in entries(data)] == expected
    assert [name.rstrip("/") for name in gnu_tar_names(data)] == expected


def test_pax_headers_stand_only_where_ustar_has_no_room() -> None:
    deep = "d" * 99 + "/" + "e" * 55 + "/" + "f" * 100
    fits = archive([file(deep), file("n" * 100), LinkMember("l", "t" * 100)])
    assert b"PaxHeaders" not in fits
    for member in (file("n" * 101), file("é"), LinkMember("l", "t" * 101), LinkMember("l", "é")):
        assert b"PaxHeaders" in archive([member])


@pytest.mark.parametrize("target", ["t" * 100, "t" * 101, "../" * 200 + "x", "ü/ö", "é" * 60])
def test_link_targets_are_read_as_written(target: str) -> None:
    (entry,) = entries(archive([LinkMember("link", target)]))
    assert (entry.issym(), entry.linkname) == (True, target)


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 8**11 + 1, 1 << 40])
def test_sizes_around_8_gib_and_above_are_in_the_header(size: int) -> None:
    stream = tar([FileMember("large", Content("", size, lambda: (b"",)))])
    header = next(stream)
    with tarfile.open(fileobj=io.BytesIO(header), mode="r:") as opened:
        info = opened.next()
    assert info is not None
    assert info.size == size
    assert (b"PaxHeaders" in header) is (size >= 8**11)


def test_an_empty_archive_is_one_record_of_zeros() -> None:
    assert archive([]) == bytes(10240)


@pytest.mark.parametrize("now", [b"other", b"longer text", b"", b"texT"])
def test_content_that_changed_since_its_digest_was_taken_is_an_error(now: bytes) -> None:
    state = [b"text"]
    content = Content.of(lambda: state)
    state[:] = [now]
    with pytest.raises(ReleaseError, match="lib/x was changed while it was being read") as raised:
        archive([FileMember("lib/x", content)])
    assert "Let the release alone" in str(raised.value.hint)


_name = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/"),
    min_size=1,
    max_size=70,
).filter(lambda name: name not in (".", ".."))
_path = st.lists(_name, min_size=1, max_size=6).map("/".join)
_member = st.one_of(
    st.builds(file, _path, st.binary(max_size=1100), executable=st.booleans()),
    st.builds(LinkMember, _path, _path),
    st.builds(FolderMember, _path),
)


def _fits(members: list[Member]) -> list[Member]:
    """Members of which none lies below a file or a link, the last of each path."""
    found = {member.path: member for member in members}
    leaves = {path for path, member in found.items() if not isinstance(member, FolderMember)}
    return [
        member
        for path, member in found.items()
        if not any(path.startswith(f"{leaf}/") for leaf in leaves)
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(_member, max_size=8).map(_fits))
@example([file("é" * 127 + "/" + "x" * 100, b"1")])
def test_any_valid_paths_come_back_from_tarfile(members: list[Member]) -> None:
    data = archive(members)
    read = {entry.name: entry for entry in entries(data)}
    assert len(read) == len(entries(data))
    held = contents(data)
    for member in members:
        entry = read.pop(member.path)
        match member:
            case FileMember(path, content, executable):
                assert held[path] == content.read()
                assert entry.mode == (0o755 if executable else 0o644)
            case LinkMember(_, target):
                assert entry.issym()
                assert entry.linkname == target
            case _:
                assert entry.isdir()
    parents = {m.path[:at] for m in members for at, mark in enumerate(m.path) if mark == "/"}
    assert read.keys() <= parents
    assert all(entry.isdir() and entry.mode == 0o755 for entry in read.values())
