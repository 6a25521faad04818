"""The same code gives the same layers, wherever, by whom and when it was built."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shop import Shop, build_in_root, copy_source

pytestmark = pytest.mark.release


def layers(release: Path, folder: Path, recipe: str = "", **environment: str) -> dict[str, str]:
    """The digest of each layer of the release, by name, as `imagesmith build` tells them.

    Each build has an empty cache, or the second would only tell what the first has written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yml").write_text(f"version: 1\nrelease: {{path: {release}}}\n{recipe}")
    output = ("--progress", "json", "--output", "type=oci,tar=false,dest=out.oci")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "imagesmith",
            "build",
            "recipe.yml",
            "--cache-dir",
            "cache",
            *output,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    return {item["layer"]: item["digest"] for item in told if "layer" in item}


def _build_as_somebody_else(work: Path) -> Path:
    """The shop built by another user, with another umask, time zone and number of cores."""
    copy_source(work)
    nobody = pwd.getpwnam("nobody")
    for path in [work, *work.rglob("*")]:
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    for parent in work.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    script = f"umask 077; exec taskset -c 0 '{work}/build' --release shop_web"
    subprocess.run(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-c", script],
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(work), "TZ": "Asia/Tokyo"},
    )
    return work / "_build/prod/rel/shop_web"


def test_another_folder_user_umask_time_zone_and_core_count_change_nothing(
    shop: Shop, tmp_path: Path
) -> None:
    elsewhere = _build_as_somebody_else(tmp_path / "a/folder/of another name")
    one = layers(shop.web, tmp_path / "one")
    other = layers(elsewhere, tmp_path / "other", TZ="America/Lima")
    assert one == other
    assert len(one) > 10


def test_mtimes_and_modes_of_the_release_change_nothing(shop: Shop, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shop.web, copy, symlinks=True)
    for path in copy.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1_000_000_000, 1_000_000_000))
            path.chmod(path.stat().st_mode & 0o700)
    recipe = "layers: {own: [core, catalog, web]}\n"
    assert layers(shop.web, tmp_path / "one", recipe) == layers(copy, tmp_path / "other", recipe)


def test_one_core_gives_the_layers_of_two(shop: Shop, tmp_path: Path) -> None:
    two = layers(shop.web, tmp_path / "two")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert layers(shop.web, tmp_path / "one") == two
    finally:
        os.sched_setaffinity(0, cores)


def test_a_new_version_number_changes_the_releases_own_layer_alone(
    shop: Shop, tmp_path: Path
) -> None:
    work = tmp_path / "bumped"
    copy_source(work)
    (work / "VERSION").write_text("0.1.1\n")
    subprocess.run([work / "build", "--release", "shop_web"], check=True, stdout=subprocess.DEVNULL)
    before = layers(shop.web, tmp_path / "before")
    after = layers(work / "_build/prod/rel/shop_web", tmp_path / "after")
    assert {name for name in before | after if before.get(name) != after.get(name)} == {"release"}


def test_stripped_or_not_is_the_same_under_strip_always(shop_otp27: Shop, tmp_path: Path) -> None:
    work = tmp_path / "unstripped"
    build_in_root(shop_otp27.sysroot, work, SHOP_STRIP="false")
    unstripped = work / "_build/prod/rel/shop_web"
    recipe = f"base: {shop_otp27.base}\nlayers: {{strip: always}}\n"
    stripped = layers(shop_otp27.web, tmp_path / "one", recipe)
    assert layers(unstripped, tmp_path / "other", recipe) == stripped


def test_an_unstripped_release_keeps_what_it_has_and_says_what_it_would_save(
    shop: Shop, tmp_path: Path
) -> None:
    work = tmp_path / "unstripped"
    copy_source(work)
    subprocess.run(
        [work / "build", "--release", "shop_web"],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SHOP_STRIP": "false"},
    )
    release = work / "_build/prod/rel/shop_web"
    done = subprocess.run(
        [sys.executable, "-m", "imagesmith", "build", release, "-o", "type=oci,dest=x.tar"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "shop_web is not stripped; `layers: {strip: always}` would take" in done.stderr
    kept = layers(release, tmp_path / "auto")
    assert kept == layers(release, tmp_path / "never", "layers: {strip: never}\n")
    assert kept != layers(release, tmp_path / "always", "layers: {strip: always}\n")


def test_releases_of_one_umbrella_share_their_layers(shop: Shop, tmp_path: Path) -> None:
    web, everything = layers(shop.web, tmp_path / "w"), layers(shop.all, tmp_path / "a")
    shared = {name for name in web if everything.get(name) == web[name]}
    assert {"system", "kernel", "stdlib", "elixir", "core", "catalog", "web"} <= shared
