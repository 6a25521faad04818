from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesmith.base.sysroot import FolderRoot
from imagesmith.errors import BaseError
from imagesmith.layer.member import FileMember, LinkMember


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sysroot with one file, beside a secret that is not in it."""
    (tmp_path / "secret").write_text("the host's own")
    (tmp_path / "root/usr/lib").mkdir(parents=True)
    (tmp_path / "root/usr/lib/file").write_text("inside")
    return tmp_path / "root"


def test_a_sysroot_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="there is no such folder") as raised:
        FolderRoot(tmp_path / "none")
    assert "Name the root of a Linux system" in str(raised.value.hint)


@pytest.mark.parametrize(
    "target",
    [
        "/usr/lib/file",
        "//usr/lib/file",
        "usr/./lib//file",
        "../../usr/lib/file",
        "/../usr/lib/file",
        "usr/lib/../../usr/lib/file",
        "///usr//lib/file",
    ],
)
def test_links_are_followed_as_if_the_sysroot_were_the_root(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    assert FolderRoot(root).text("/link") == "inside"
    assert FolderRoot(root).resolve("/link") == ("/usr/lib/file", [LinkMember("link", target)])


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
@pytest.mark.parametrize("way", ["", "../", "../../../../../../", "usr/../../"])
def test_no_link_leads_out_of_the_sysroot(root: Path, slashes: str, way: str) -> None:
    secret = root.parent / "secret"
    for number, target in enumerate((f"{slashes}{way}{str(secret)[1:]}", f"{way}secret")):
        (root / f"link{number}").symlink_to(target)
        assert secret.exists()
        assert FolderRoot(root).text(f"/link{number}") is None
        assert FolderRoot(root).members(f"/link{number}") is None
    assert FolderRoot(root).text(f"{slashes}../secret") is None


_part = st.sampled_from(["..", ".", "", "a", "b", "usr", "secret"])
_target = st.tuples(st.sampled_from(["", "/", "//"]), st.lists(_part, min_size=1, max_size=5))


@settings(max_examples=100, deadline=None)
@given(st.lists(_target, min_size=3, max_size=3))
def test_no_web_of_links_leads_out_of_the_sysroot(
    tmp_path_factory: pytest.TempPathFactory, targets: list[tuple[str, list[str]]]
) -> None:
    top = tmp_path_factory.mktemp("web")
    (top / "secret").write_text("the host's own")
    (top / "root/usr").mkdir(parents=True)
    for name, (start, parts) in zip(("a", "b", "usr/secret"), targets, strict=True):
        (top / "root" / name).symlink_to(start + "/".join(parts) or ".")
    sysroot = FolderRoot(top / "root")
    for path in ("/a", "/b", "/usr/secret", "/a/secret", "/b/a/secret"):
        assert sysroot.text(path) is None
        found = sysroot.resolve(path)
        if found:
            host = top / "root" / found[0][1:]
            assert host.resolve().is_relative_to((top / "root").resolve())


def test_a_loop_of_links_leads_to_nothing(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert FolderRoot(root).resolve("/a") is None


def test_a_path_through_a_file_leads_to_nothing(root: Path) -> None:
    assert FolderRoot(root).resolve("/usr/lib/file/more") is None
    assert FolderRoot(root).names("/usr/lib/file") == []
    assert FolderRoot(root).names("/none") == []


def test_a_file_comes_with_the_links_that_lead_to_it(root: Path) -> None:
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/tool").write_text("#!/bin/sh\n")
    (root / "usr/lib/tool").chmod(0o755)
    (root / "usr/lib/sh").symlink_to("tool")
    found = FolderRoot(root).members("/lib/sh")
    assert found is not None
    tool = found.pop()
    assert isinstance(tool, FileMember)
    assert (tool.path, tool.executable, tool.content.read()) == (
        "usr/lib/tool",
        True,
        b"#!/bin/sh\n",
    )
    assert found == [LinkMember("lib", "usr/lib"), LinkMember("usr/lib/sh", "tool")]


def test_a_folder_is_taken_with_the_links_to_it_but_without_sockets_and_fifos(root: Path) -> None:
    (root / "share").symlink_to("usr/share")
    (root / "usr/share/zones/skipped").mkdir(parents=True)
    (root / "usr/share/zones/Europe/skipped").mkdir(parents=True)
    (root / "usr/share/zones/UTC").write_text("utc")
    (root / "usr/share/zones/skipped/UTC").write_text("utc")
    (root / "usr/share/zones/Europe/skipped/x").write_text("x")
    (root / "usr/share/zones/Zulu").symlink_to("UTC")
    os.mkfifo(root / "usr/share/zones/fifo")
    found = list(FolderRoot(root).below("/share/zones", ["skipped"]))
    assert [member.path for member in found] == [
        "share",
        "usr/share/zones/Europe/skipped/x",
        "usr/share/zones/UTC",
        "usr/share/zones/Zulu",
    ]
    assert list(FolderRoot(root).below("/none")) == []


def test_what_cannot_be_read_is_named(root: Path) -> None:
    """/proc/self/mem gives EIO, to root as well."""
    assert stat.S_ISREG(Path("/proc/self/mem").stat().st_mode)
    with pytest.raises(BaseError, match=r"sysroot /proc/self: /mem cannot be read: Input/output"):
        FolderRoot(Path("/proc/self")).members("/mem")
    with pytest.raises(BaseError, match="/mem cannot be read"):
        FolderRoot(Path("/proc/self")).text("/mem")


def test_a_folder_that_may_not_be_entered_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As somebody who is not root would meet it."""

    def forbidden(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "lstat", forbidden)
    with pytest.raises(BaseError, match=f"sysroot {root}: /usr cannot be read: Permission denied"):
        FolderRoot(root).members("/usr/lib/file")


def test_a_name_that_is_too_long_is_an_error_in_words(root: Path) -> None:
    with pytest.raises(BaseError, match="File name too long"):
        FolderRoot(root).resolve("/" + "n" * 300)
