"""What is shown: fixtures/shop as a pet, and its next version."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs.recording.terminal import Recording, Terminal

__all__ = ["COMMANDS", "TITLE", "play"]

TITLE = (
    "A terminal: imagesmith builds version 0.1.0 of a shop as a pet, which Docker starts; it plans "
    "and bundles the upgrade to 0.2.0, and upgrades the running container, whose status it shows."
)
SHOP = Path(__file__).parents[2] / "fixtures/shop"
RELEASE = "shop_all"
NAME = "shop"
"""Of the container and its volume."""
IMAGE = f"{NAME}:0.1.0"

FIRST = (
    f"imagesmith build --mode pet -t {IMAGE} --load -o type=oci,dest=shop-0.1.0.tar",
    f"docker run -d --name {NAME} --restart unless-stopped --read-only --tmpfs /tmp \\\n"
    f"  --mount type=volume,source={NAME},target=/upgrades {IMAGE}",
)
REMARK = "# The next version is written, and `mix release` has built it."
SECOND = (
    f"imagesmith plan shop-0.1.0.tar _build/prod/rel/{RELEASE} | head -n 19",
    f"imagesmith build --mode pet -t {NAME}:0.2.0 -o type=oci,dest=shop-0.2.0.tar \\\n"
    "  --upgrade-from shop-0.1.0.tar",
    f"imagesmith upgrade {RELEASE}-0.1.0-0.2.0.upgrade.tar --container {NAME} --watch 3",
    f"imagesmith status --container {NAME}",
)
COMMANDS = (*FIRST, *SECOND)


def play() -> Recording:
    """Build the releases, run the commands and clear away what they have made."""
    with tempfile.TemporaryDirectory(prefix="imagesmith-recording-") as scratch:
        first, second = (_build(version, Path(scratch) / version) for version in ("0.1.0", "0.2.0"))
        ours = Path(sys.executable).parent  # where imagesmith lies
        path = f"{ours}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "IMAGESMITH_CACHE_DIR": f"{scratch}/cache"}
        project = Path(scratch) / "shop"
        project.symlink_to(first)
        terminal = Terminal(project, environment)
        with _clean():
            for line in FIRST:
                terminal.run(line)
            _wait_until_it_runs()
            terminal.type(REMARK)
            (first / "shop-0.1.0.tar").rename(second / "shop-0.1.0.tar")
            project.unlink()
            project.symlink_to(second)
            for line in SECOND:
                terminal.run(line)
        return terminal.recording()


def _build(version: str, work: Path) -> Path:
    words = ["--version", version, "--release", RELEASE, "--work", str(work)]
    subprocess.run([SHOP / "build", *words], check=True, stdout=subprocess.DEVNULL)
    return work


@contextmanager
def _clean() -> Iterator[None]:
    """No container, volume or image of that name is there before, and none is left behind."""
    for kind, name in (("container", NAME), ("volume", NAME), ("image", IMAGE)):
        if _docker(kind, "inspect", name).returncode == 0:
            raise RuntimeError(f"Docker has a {kind} {name} already; the recording needs the name")
    try:
        yield
    finally:
        _docker("rm", "--force", NAME)
        _docker("volume", "rm", "--force", NAME)
        _docker("rmi", IMAGE)


def _docker(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["docker", *words], check=False, capture_output=True)


def _wait_until_it_runs() -> None:
    """An upgrade of a node that is still starting is refused."""
    up = f"for n in $(seq 300); do bin/{RELEASE} pid && exit; sleep 0.1; done; exit 1"
    _docker("exec", NAME, "sh", "-c", up).check_returncode()
