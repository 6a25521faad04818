"""What is published: the same bytes from the same sources, and everything that the code reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from imagesmith import __version__
from tests.shop import REPO

STEM = f"imagesmith-{__version__}"
WHEEL = f"{STEM}-py3-none-any.whl"
SDIST = f"{STEM}.tar.gz"


def tracked(folder: str = "") -> list[str]:
    """The files of the checkout that git knows."""
    # Whoever runs the tests need not own the checkout: in a container, it is root.
    git = ["git", "-C", str(REPO), "-c", f"safe.directory={REPO}"]
    words = [*git, "ls-files", "-z", "--", folder or "."]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return [name for name in said.split("\0") if name and (REPO / name).is_file()]


def build(source: Path, into: Path, **environment: str) -> dict[str, bytes]:
    """The files that `python -m build` makes of a checkout, as .ci/dist calls it."""
    clean = {key: text for key, text in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", into, source],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**clean, **environment},
    )
    return {path.name: path.read_bytes() for path in into.iterdir()}


def checkout(to: Path, umask: int, second: int) -> Path:
    """What `git clone` leaves, under this umask and at this time."""
    for name in tracked():
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPO / name, target)
        executable = (REPO / name).stat().st_mode & 0o100
        target.chmod((0o777 if executable else 0o666) & ~umask)
        os.utime(target, (second, second))
    return to


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("dist")
    return build(checkout(folder / "a", 0o022, 1_000_000_000), folder / "out")


@pytest.fixture(scope="module")
def files(built: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files in the wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / WHEEL).write_bytes(built[WHEEL])
    with zipfile.ZipFile(folder / WHEEL) as archive:
        archive.extractall(folder / "files")
    found = (path for path in (folder / "files").rglob("*") if path.is_file())
    return {path.relative_to(folder / "files").as_posix(): path for path in found}


def test_another_folder_umask_time_zone_and_time_give_the_same_bytes(
    built: dict[str, bytes], tmp_path: Path
) -> None:
    other = checkout(tmp_path / "a longer name", 0o077, 1_700_000_000)
    before = os.umask(0o077)
    try:
        again = build(other, tmp_path / "out", TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C")
    finally:
        os.umask(before)
    assert built.keys() == {WHEEL, SDIST}
    assert again == built


def test_the_wheel_has_each_file_of_the_package_as_git_has_it(files: dict[str, Path]) -> None:
    packed = {name for name in files if not name.startswith(f"{STEM}.")}
    assert packed == set(tracked("imagesmith"))
    assert "imagesmith/py.typed" in packed
    for name in packed:
        assert files[name].read_bytes() == (REPO / name).read_bytes(), name


def test_the_wheel_brings_the_man_pages_to_where_man_looks(files: dict[str, Path]) -> None:
    share = f"{STEM}.data/data/share/man/man1"
    pages = {PurePosixPath(name).name for name in files if name.startswith(share)}
    assert pages == {path.name for path in (REPO / "docs/man").iterdir()}


def test_the_sdist_has_what_the_wheel_is_made_of_and_nothing_else(
    built: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / SDIST).write_bytes(built[SDIST])
    with tarfile.open(tmp_path / SDIST) as archive:
        names = {member.name.removeprefix(f"{STEM}/") for member in archive.getmembers()}
    wanted = {*tracked("imagesmith"), *tracked("docs/man")}
    single = {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", ".gitignore", "PKG-INFO"}
    assert names == wanted | single


def test_the_changelog_s_newest_entry_is_of_this_version() -> None:
    newest, *_ = re.findall(r"^## (.*)$", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert re.fullmatch(rf"{re.escape(__version__)} - (Unreleased|\d{{4}}-\d\d-\d\d)", newest)
