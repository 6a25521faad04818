"""A small Debian 12 in the engine, under a name of ours: nothing can be pulled where tests run."""

from __future__ import annotations

import fcntl
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.docker import docker, run
from tests.shop import REPO, tool

IMAGE = "imagesmith-test-bases:bookworm"
SMALL = "imagesmith-test-bases:small"


def debian_image(lock: Path) -> str:
    """The image, imported once: it stays, as the build cache hangs on its digest."""
    return _imported(IMAGE, lock, lambda: tool("bookworm-rootfs"))


def small_image(lock: Path) -> str:
    """One of a few bytes, for what is asked of an image of any size."""

    def archive() -> str:
        with tarfile.open(lock.with_name("small.tar"), "w") as tar:
            for name in ("etc/os-release", "etc/hostname"):
                tar.addfile(tarfile.TarInfo(name))
            return str(lock.with_name("small.tar"))

    return _imported(SMALL, lock, archive)


def _imported(image: str, lock: Path, archive: Callable[[], str]) -> str:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if run("image", "inspect", image).returncode != 0:
            docker("import", archive(), image)
    return image


def our_dockerfile(to: Path) -> Path:
    """Dockerfile.base with the test's Debian for the one that it would pull."""
    text = (REPO / "Dockerfile.base").read_text()
    changed = re.sub(r"^ARG DEBIAN=.*$", f"ARG DEBIAN={IMAGE}", text, flags=re.MULTILINE)
    assert changed != text
    to.write_text(changed)
    return to
