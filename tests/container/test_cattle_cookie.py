"""The cookie is never in an image, and yet every command in a container finds one."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.conftest import Images
from tests.docker import HARDENED, Container, docker, run, serving

pytestmark = pytest.mark.container

COOKIE = "IO.puts(Node.get_cookie())"


def _cookie(shop: Container) -> str:
    return shop.output("bin/shop_web", "rpc", COOKIE)


def test_no_file_of_the_image_holds_the_releases_cookie(images: Images, tmp_path: Path) -> None:
    secret = (images.shop.web / "releases/COOKIE").read_bytes()
    created = docker("create", images.web).strip()
    docker("export", "--output", str(tmp_path / "root.tar"), created)
    docker("rm", created)
    with tarfile.open(tmp_path / "root.tar") as root:
        names = root.getnames()
        found = [m.name for m in root if m.isfile() and secret in _read(root, m)]
    assert "app/releases/start_erl.data" in names
    assert not [name for name in names if name.endswith("COOKIE")]
    assert found == []


def _read(root: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = root.extractfile(member)
    assert file is not None
    return file.read()


def test_each_container_makes_a_cookie_of_its_own_which_only_its_user_reads(
    images: Images,
) -> None:
    with serving(images.web) as one, serving(images.web) as other:
        assert len(_cookie(one)) == 64
        assert _cookie(one) == _cookie(one)
        assert _cookie(one) != _cookie(other)
        assert one.output("stat", "-c", "%a %u", "/tmp/.release_cookie") == "600 65532"


def test_the_variable_wins(images: Images) -> None:
    with serving(images.web, "--env", "RELEASE_COOKIE=from-a-variable") as shop:
        assert _cookie(shop) == "from-a-variable"


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cookie"
    path.write_text("from-a-file\n")
    path.chmod(0o444)
    yield path


def test_a_secret_where_docker_mounts_secrets_is_found(images: Images, secret: Path) -> None:
    with serving(images.web, "--volume", f"{secret}:/run/secrets/release_cookie:ro") as shop:
        assert _cookie(shop) == "from-a-file"


def test_a_secret_can_lie_elsewhere(images: Images, secret: Path) -> None:
    options = (
        "--volume",
        f"{secret}:/etc/erlang/c:ro",
        "--env",
        "RELEASE_COOKIE_FILE=/etc/erlang/c",
    )
    with serving(images.web, *options) as shop:
        assert _cookie(shop) == "from-a-file"


def test_a_secret_that_is_missing_is_said(images: Images) -> None:
    done = run("run", "--rm", *HARDENED, "--env", "RELEASE_COOKIE_FILE=/nowhere", images.web)
    assert done.returncode == 1
    assert "ERROR: the cookie cannot be read from /nowhere" in done.stderr


def test_without_a_writable_tmp_it_says_what_is_needed(images: Images) -> None:
    done = run("run", "--rm", "--read-only", images.web, "bin/shop_web", "eval", "1")
    assert done.returncode == 1
    assert "--tmpfs /tmp" in done.stderr


def test_a_cookie_alone_lets_eval_run_without_tmp(images: Images) -> None:
    options = ("--read-only", "--env", "RELEASE_COOKIE=abc", "--env", "RELEASE_TMP=/dev/shm")
    show = 'IO.puts(System.fetch_env!("RELEASE_COOKIE"))'
    done = run("run", "--rm", *options, images.web, "bin/shop_web", "eval", show)
    assert (done.returncode, done.stdout) == (0, "abc\n")
