"""A job that is cancelled while its build runs."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.action.conftest import Machine
from tests.action.runner import Done, read_annotations
from tests.docker import wait_until

pytestmark = pytest.mark.oracle


def test_the_build_is_ended_and_nothing_of_it_stays(
    machine: Machine, installed: tuple[Path, Done], tmp_path: Path
) -> None:
    job = machine()
    recipe = job.workspace / "imagesmith.yml"
    os.mkfifo(recipe)
    writers: list[int] = []

    def is_read() -> bool:
        """Whether the build has begun to read its recipe, and so waits for the end of it."""
        with suppress(OSError):
            writers.append(os.open(recipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    environment = {
        **job.environment,
        "RUNNER_TEMP": str(job.temp),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "INPUT_RECIPE": "imagesmith.yml",
    }
    with subprocess.Popen(
        [installed[0] / "imagesmith/venv/bin/python", "-I", "-m", "imagesmith.cli.action"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=job.workspace,
        env=environment,
    ) as process:
        wait_until(is_read, lambda: "nobody reads the recipe", seconds=120)
        # As the runner does it: to the step's process, and to no child of it.
        os.kill(process.pid, signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    os.close(writers[0])
    assert process.returncode == 128 + signal.SIGTERM
    [error] = [item for item in read_annotations(said) if item.kind == "error"]
    assert error.message == "ended by SIGTERM"
    assert not (tmp_path / "output").exists()
    assert not list(job.temp.glob("imagesmith-action-*"))
