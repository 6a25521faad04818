"""A push that was killed half-way: the next one sends what is missing, and no more."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker import wait_until
from tests.registries.conftest import Smith
from tests.registries.oracles import crane
from tests.registries.proxy import Stall, proxy
from tests.trees import APPLICATIONS, App, make_release

pytestmark = pytest.mark.oracle

MEGABYTE = 1 << 20


@pytest.fixture(scope="session")
def large_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with four applications of a megabyte that no compression makes smaller."""
    lot = random.Random(4)
    large = [
        App(f"large_{number}", files={"priv/data": lot.randbytes(MEGABYTE)}) for number in range(4)
    ]
    folder = tmp_path_factory.mktemp("large") / "shop"
    return make_release(folder, applications=[*APPLICATIONS, *large])


@pytest.mark.parametrize("skip", [0, 2, 4])
def test_a_killed_push_is_continued(
    skip: int,
    large_release: Path,
    smith: Smith,
    smith_environment: dict[str, str],
    plain: str,
    tmp_path: Path,
) -> None:
    with proxy(plain) as passing:
        reference = f"{passing.host}/shop:1"
        command = ["build", str(large_release), "--engine", "embedded", "--push", "-t", reference]
        passing.fail(Stall(), "PATCH|PUT", "/blobs/uploads/", skip=2 * skip, times=1000)
        with subprocess.Popen(
            [sys.executable, "-m", "imagesmith", *command],
            env=smith_environment,
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            wait_until(
                lambda: (
                    any(item.sent and not item.status for item in passing.passed[2 * skip :])
                    and len(passing.requests("PATCH|PUT", "/blobs/uploads/")) > 2 * skip
                ),
                lambda: str(passing.passed),
            )
            process.kill()
        there = {
            digest
            for item in passing.requests("PUT", "/blobs/uploads/")
            if item.status == 201
            for digest in item.query["digest"]
        }
        passing.heal()
        passing.passed.clear()
        done = smith(*command)
        assert done.returncode == 0, done.stderr
        crane("validate", "--remote", reference)
        again = {
            digest
            for item in passing.requests("PUT", "/blobs/uploads/")
            for digest in item.query["digest"]
        }
        assert not there & again
        assert len(there) >= skip // 2
