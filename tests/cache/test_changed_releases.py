"""A release that changed without looking changed gets its new image, whatever the cache holds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cache.builds import Variant, build

pytestmark = pytest.mark.release


def _put_back_times(file: Path, was: os.stat_result) -> None:
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


def change_in_place(release: Path) -> None:
    """Another byte at the same size, the same inode and the same mtime, as rsync can leave it."""
    file = next(release.glob("lib/core-*/priv/templates/welcome.txt"))
    was = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"#")
    _put_back_times(file, was)


def change_by_rename(release: Path) -> None:
    file = next(release.glob("lib/core-*/priv/templates/welcome.txt"))
    was, data = file.stat(), file.read_bytes()
    file.unlink()  # so that the new file may get its inode
    file.write_bytes(b"%" + data[1:])
    _put_back_times(file, was)


def make_executable(release: Path) -> None:
    file = next(release.glob("lib/core-*/priv/templates/welcome.txt"))
    file.chmod(0o755)


def exchange_two_files(release: Path) -> None:
    one, other = sorted(release.glob("lib/core-*/priv/*.csv"))
    one.rename(release / "aside")
    other.rename(one)
    (release / "aside").rename(other)


def point_a_link_elsewhere(release: Path) -> None:
    link = next(release.glob("lib/core-*/priv")) / "link"
    link.unlink()
    link.symlink_to("templates/receipt.txt")


def change_a_module_in_place(release: Path) -> None:
    """Its line numbers alone, which beam_lib:md5 does not see."""
    file = next(release.glob("lib/core-*/ebin/Elixir.Core.beam"))
    was, data = file.stat(), bytearray(file.read_bytes())
    at = data.index(b"Line")
    size = int.from_bytes(data[at + 4 : at + 8], "big")
    data[at + 8 + size - 1] ^= 1
    with file.open("r+b") as opened:
        opened.write(data)
    _put_back_times(file, was)


def test_changes_that_hide_are_seen(web: Variant, copied: Path, tmp_path: Path) -> None:
    release = tmp_path / "release"
    shutil.copytree(web.release, release, symlinks=True)
    (next(release.glob("lib/core-*/priv")) / "link").symlink_to("templates/welcome.txt")
    out = tmp_path / "out.oci"
    digests = [build(release, out, copied).digest]
    for change in (
        change_in_place,
        change_by_rename,
        make_executable,
        exchange_two_files,
        point_a_link_elsewhere,
        change_a_module_in_place,
    ):
        change(release)
        digests.append(build(release, out, copied).digest)
        assert digests[-1] not in digests[:-1], change.__doc__ or change.__name__
    assert digests[-1] == build(release, out, tmp_path / "fresh cache").digest
