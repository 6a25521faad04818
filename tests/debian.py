"""A small Debian 12 in the engine, under a name of ours: nothing can be pulled where tests run."""

from __future__ import annotations

import fcntl
import re
from pathlib import Path

from tests.docker import docker, run
from tests.shop import REPO, tool

IMAGE = "imagesmith-test-bases:bookworm"


def debian_image(lock: Path) -> str:
    """The image, imported once: it stays, as the build cache hangs on its digest."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if run("image", "inspect", IMAGE).returncode != 0:
            docker("import", tool("bookworm-rootfs"), IMAGE)
    return IMAGE


def our_dockerfile(to: Path) -> Path:
    """Dockerfile.base with the test's Debian for the one that it would pull."""
    text = (REPO / "Dockerfile.base").read_text()
    changed = re.sub(r"^ARG DEBIAN=.*$", f"ARG DEBIAN={IMAGE}", text, flags=re.MULTILINE)
    assert changed != text
    to.write_text(changed)
    return to
