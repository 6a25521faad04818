"""A release without ERTS runs on a base that brings that very version."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.conftest import imagesmith
from tests.docker import docker, run, serving
from tests.shop import Shop, build_in_root

pytestmark = pytest.mark.container

BASE = "imagesmith-test-erlang:27"
NOT_NEEDED = ("proc/*", "sys/*", "dev/*", "usr/lib/elixir", "usr/share/doc", "usr/lib/gcc", "tmp/*")


@pytest.fixture(scope="module")
def bare(shop_otp27: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's web front, built where its OTP stays behind."""
    work = tmp_path_factory.mktemp("bare") / "shop"
    build_in_root(shop_otp27.sysroot, work, SHOP_ERTS="false")
    release = work / "_build/prod/rel/shop_web"
    assert not list(release.glob("erts-*"))
    return release


@pytest.fixture(scope="module")
def erlang(shop_otp27: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of the system that it was built on."""
    tar = tmp_path_factory.mktemp("erlang") / "root.tar"
    excluded = [f"--exclude=./{path}" for path in NOT_NEEDED]
    command = ["tar", "-C", str(shop_otp27.sysroot), *excluded, "-cf", str(tar), "."]
    subprocess.run(command, check=True)
    docker("import", str(tar), BASE)
    tar.unlink()
    yield BASE
    run("image", "rm", "--force", BASE)


def _build(folder: Path, release: Path, base: str, *output: str) -> tuple[int, str, str]:
    (folder / "r.yml").write_text(
        f"version: 1\nname: imagesmith-test-bare\nrelease: {{path: {release}}}\nbase: {base}\n"
    )
    done = imagesmith("build", "r.yml", *output, cwd=folder)
    return done.returncode, done.stdout.strip(), done.stderr


def test_it_runs_on_a_base_with_its_erlang(bare: Path, erlang: str, tmp_path: Path) -> None:
    code, image, said = _build(tmp_path, bare, erlang, "--load")
    assert code == 0, said
    with serving(image) as running:
        assert running.get("/")["version"] == "0.1.0"
        assert running.get("/nif")["fnv1a"] == 2823282857


def test_a_base_with_another_erlang_is_refused(bare: Path, erlang: str, tmp_path: Path) -> None:
    start = bare / "releases/start_erl.data"
    before = start.read_text()
    start.write_text(f"13.0 {before.split()[1]}")
    try:
        code, _, said = _build(tmp_path, bare, erlang, "-o", "type=oci,dest=x.tar")
    finally:
        start.write_text(before)
    assert code == 1
    assert "needs ERTS 13.0" in said
    assert not (tmp_path / "x.tar").exists()
