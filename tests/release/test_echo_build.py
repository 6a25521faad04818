"""`imagesmith build` of an archive, and of a release of relx, by the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.echo import build_echo
from tests.shop import Shop

pytestmark = pytest.mark.release


def imagesmith(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imagesmith", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def built(release: Path, folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    where = ("--engine", "embedded", "-o", f"type=oci,tar=false,dest={name}")
    done = imagesmith("build", release, *where, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


def digest(folder: Path) -> str:
    index = json.loads((folder / "index.json").read_text())
    return str(index["manifests"][0]["digest"])


def test_an_archive_gives_the_image_of_the_folder(shop: Shop, tmp_path: Path) -> None:
    """Both away from the project, whose files tell whose each application is."""
    shutil.copytree(shop.web, tmp_path / "shop_web", symlinks=True)
    subprocess.run(["tar", "-czf", "shop_web.tar.gz", "shop_web"], cwd=tmp_path, check=True)
    for name in ("shop_web", "shop_web.tar.gz"):
        built(tmp_path / name, tmp_path, f"{name}.oci")
    assert digest(tmp_path / "shop_web.oci") == digest(tmp_path / "shop_web.tar.gz.oci")


def test_a_bad_archive_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "shop.tar.gz").write_bytes(b"\x1f\x8b\x08")
    done = imagesmith("build", "shop.tar.gz", "--engine", "embedded", cwd=tmp_path)
    assert done.returncode == 1
    assert "shop.tar.gz: it is cut short" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_build_says_that_the_cookie_is_taken_out(tmp_path: Path) -> None:
    release = build_echo("--work", str(tmp_path / "work"))
    done = built(release, tmp_path, "echo.oci")
    assert "echo: releases/0.1.0/vm.args.src: the cookie of -setcookie is a secret" in done.stderr
    assert "echo_cookie_of" not in done.stderr
