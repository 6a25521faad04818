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
from tests.registries.proxy import Proxy, Stall, proxy
from tests.trees import APPLICATIONS, App, make_release

pytestmark = pytest.mark.oracle

MEGABYTE = 1 << 20
UPLOADS = ("PATCH|PUT", "/blobs/uploads/")
AT_ONCE = 4
"""Uploads that may be under way, and so not yet confirmed, when the process is killed."""


@pytest.fixture(scope="session")
def large_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with four applications of a megabyte that no compression makes smaller."""
    lot = random.Random(4)
    large = [
        App(f"large_{number}", files={"priv/data": lot.randbytes(MEGABYTE)}) for number in range(4)
    ]
    folder = tmp_path_factory.mktemp("large") / "shop"
    return make_release(folder, applications=[*APPLICATIONS, *large])


@pytest.mark.parametrize("before", [0, 4, 8])
def test_a_killed_push_is_continued(
    before: int,
    large_release: Path,
    smith: Smith,
    smith_environment: dict[str, str],
    plain: str,
    tmp_path: Path,
) -> None:
    with proxy(plain) as passing:
        reference = f"{passing.host}/shop:1"
        command = ["build", str(large_release), "--engine", "embedded", "--push", "-t", reference]
        passing.fail(Stall(), *UPLOADS, skip=before, times=1000)
        with subprocess.Popen(
            [sys.executable, "-m", "imagesmith", *command],
            env=smith_environment,
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            wait_until(
                lambda: len(passing.requests(*UPLOADS)) > before, lambda: str(passing.passed)
            )
            process.kill()
        there = _digests(passing)
        assert len(there) > before - AT_ONCE
        passing.heal()
        passing.passed.clear()
        done = smith(*command)
        assert done.returncode == 0, done.stderr
        crane("validate", "--remote", reference)
        assert not there & _digests(passing)


def _digests(passing: Proxy) -> set[str]:
    """Of the blobs that the registry has confirmed."""
    return {
        digest
        for item in passing.requests(*UPLOADS)
        if item.status == 201
        for digest in item.query["digest"]
    }
