"""Which tool made a release, and what its layout means."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from imagesmith.beam.release import Release, read_release
from imagesmith.beam.tool import Tool
from imagesmith.beam.tree import Folder
from imagesmith.errors import ReleaseError
from tests.trees import (
    APPLICATIONS,
    App,
    make_distillery_release,
    make_release,
    make_relx_release,
)


def read(folder: Path) -> Release:
    return read_release(Folder(folder))


@pytest.mark.parametrize(
    ("make", "tool", "because"),
    [
        (make_release, Tool.MIX, "`mix release` writes releases/0.1.0/env.sh"),
        (make_distillery_release, Tool.DISTILLERY, "Distillery writes releases/0.1.0/shop.sh"),
        (make_relx_release, Tool.RELX, "bin/shop is relx's extended start script"),
    ],
)
def test_each_tool_is_told_by_what_it_alone_leaves(
    tmp_path: Path, make: object, tool: Tool, because: str
) -> None:
    assert callable(make)
    release = read(make(tmp_path))
    assert release.tool is tool
    assert release.made_by.because == because
    assert release.has_erts
    assert release.from_base == ()


def test_a_script_that_is_a_link_to_relxs_own_is_relx(tmp_path: Path) -> None:
    folder = make_relx_release(tmp_path)
    (folder / "bin/shop").unlink()
    (folder / "bin/shop").symlink_to("shop-0.1.0")
    assert read(folder).tool is Tool.RELX


def _refused(folder: Path) -> ReleaseError:
    with pytest.raises(ReleaseError) as caught:
        read(folder)
    return caught.value


def test_a_release_of_nobody_is_refused_with_what_each_tool_would_leave(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    (folder / "releases/0.1.0/env.sh").unlink()
    error = _refused(folder)
    assert "no tool that we know made this release" in error.message
    for sign in ("releases/0.1.0/env.sh", "releases/0.1.0/shop.sh", "bin/shop is no script"):
        assert sign in error.message
    assert error.hint and "rebar3 release" in error.hint


def test_relxs_short_script_is_refused_with_what_to_set(tmp_path: Path) -> None:
    folder = make_relx_release(tmp_path)
    for script in ("bin/shop", "bin/shop-0.1.0"):
        (folder / script).write_text("#!/bin/sh\nfind_erts_dir() { :; }\n")
    error = _refused(folder)
    assert "short start script" in error.message
    assert error.hint and "{extended_start_script, true}" in error.hint


def test_a_mix_release_for_windows_alone_is_refused_with_what_to_set(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    (folder / "releases/0.1.0/env.sh").rename(folder / "releases/0.1.0/env.bat")
    error = _refused(folder)
    assert error.hint and "include_executables_for: [:unix]" in error.hint


# --- what packing leaves in the release --------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "shop-0.1.0.tar.gz",
        "shop-0.0.9.tar.gz",
        "releases/shop-0.1.0.tar.gz",
        "releases/shop.tar.gz",
        "releases/0.1.0/shop.tar.gz",
        "releases/0.1.0/shop-0.1.0.tar.gz",
    ],
)
@pytest.mark.parametrize("make", [make_relx_release, make_distillery_release])
def test_the_releases_own_tarballs_do_not_belong_to_it(
    tmp_path: Path, make: object, path: str
) -> None:
    assert callable(make)
    folder = make(tmp_path)
    (folder / path).write_bytes(b"x")
    assert not [found for found in read(folder).paths if found.endswith(".tar.gz")]


@pytest.mark.parametrize(
    "path", ["other.tar.gz", "share/shop-0.1.0.tar.gz", "lib/shop-0.1.0/priv/shop-0.1.0.tar.gz"]
)
def test_other_archives_do(tmp_path: Path, path: str) -> None:
    folder = make_relx_release(tmp_path)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(b"x")
    assert path in read(folder).paths


def test_an_overlay_of_mix_of_that_name_is_an_overlay(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    (folder / "shop-0.1.0.tar.gz").write_bytes(b"x")
    assert "shop-0.1.0.tar.gz" in read(folder).paths


# --- Distillery --------------------------------------------------------------


def test_distillerys_commands_hooks_and_protocols_belong_to_the_release(tmp_path: Path) -> None:
    release = read(make_distillery_release(tmp_path))
    assert release.consolidated == "lib/shop-0.1.0/consolidated"
    assert {
        "bin/shop_rc_exec.sh",
        "lib/shop-0.1.0/consolidated/Elixir.String.Chars.beam",
        "releases/RELEASES",
        "releases/0.1.0/commands/migrate.sh",
        "releases/0.1.0/hooks/pre_start.d/say.sh",
        "releases/0.1.0/libexec/commands/foreground.sh",
        "releases/0.1.0/config/config.exs",
    } <= {*release.paths}


def test_the_protocols_of_an_umbrella_lie_in_a_folder_of_the_release_alone(tmp_path: Path) -> None:
    applications = [*APPLICATIONS[:-1], App("web", modules=("Elixir.Web",))]
    release = read(make_distillery_release(tmp_path, applications=applications))
    assert "lib/shop-0.1.0/consolidated/Elixir.String.Chars.beam" in release.paths


# --- without ERTS ------------------------------------------------------------


def test_a_release_without_erts_says_what_its_base_has_to_bring(tmp_path: Path) -> None:
    """As mix leaves it with `include_erts: false`: Elixir is there, OTP is not."""
    folder = make_release(tmp_path)
    for gone in ("erts-13.1.5", "lib/kernel-8.5.3", "lib/stdlib-4.2"):
        shutil.rmtree(folder / gone)
    release = read(folder)
    assert not release.has_erts
    assert release.erts_version == "13.1.5"
    assert release.from_base == (("kernel", "8.5.3"), ("stdlib", "4.2"))
    assert [app.name for app in release.applications] == ["elixir", "jason", "shop"]


def test_relx_ships_otps_applications_even_without_erts(tmp_path: Path) -> None:
    folder = make_relx_release(tmp_path)
    shutil.rmtree(folder / "erts-13.1.5")
    release = read(folder)
    assert not release.has_erts
    assert release.from_base == ()
    assert release.applications[0].name == "kernel"


def test_an_application_that_no_erlang_brings_is_missing_even_then(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    for gone in ("erts-13.1.5", "lib/jason-1.4.0"):
        shutil.rmtree(folder / gone)
    assert "the application jason 1.4.0" in _refused(folder).message


def test_with_erts_an_application_of_otp_is_missing(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    shutil.rmtree(folder / "lib/stdlib-4.2")
    assert "the application stdlib 4.2" in _refused(folder).message


def test_another_runtime_system_is_a_broken_release_and_not_one_without(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    (folder / "erts-13.1.5").rename(folder / "erts-13.1.6")
    error = _refused(folder)
    assert "there is no runtime system: erts-13.1.5/bin is missing" in error.message
