"""What a push and a pull take does not grow with what they carry."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.shop import REPO

pytestmark = pytest.mark.oracle

MOST = 100_000_000
"""Bytes that a process may take at most, the interpreter and its libraries included: what the
command line has besides them then fits into the 120 MB that are promised."""


def test_three_hundred_megabytes_go_through_a_small_process(plain: str) -> None:
    command = [sys.executable, "-m", "tests.registries.carry", f"{plain}/large", "300"]
    done = subprocess.run(
        command, cwd=REPO, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST
