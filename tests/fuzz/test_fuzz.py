"""Each fuzzer for a bounded number of runs; for longer ones start it by hand, as it says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fuzz


@pytest.mark.parametrize(("fuzzer", "runs"), [("fuzz_module", 60_000), ("fuzz_terms", 40_000)])
def test_no_bytes_surprise_a_reader(fuzzer: str, runs: int, tmp_path: Path) -> None:
    assert importlib.util.find_spec("atheris"), (
        "this test needs atheris: install the dependency group `fuzz`, "
        "or deselect with -m 'not fuzz'"
    )
    script = Path(__file__).with_name(f"{fuzzer}.py")
    # The seed is fixed: the suite should not fail by chance, and longer runs are for finding.
    options = [f"-atheris_runs={runs}", "-seed=1", "-timeout=20", "-max_len=2000"]
    done = subprocess.run(
        [sys.executable, script, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {runs}" in done.stderr
