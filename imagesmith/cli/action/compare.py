"""The comparison of both lives: `compare` and `compare-from`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from imagesmith.cli.action.inputs import Inputs
from imagesmith.cli.action.told import Told
from imagesmith.cli.action.workflow import group
from imagesmith.errors import CompareError, UsageError

__all__ = ["compare", "compared_with"]


def compared_with(inputs: Inputs) -> str | None:
    """OLD, if a comparison is wanted. Raises UsageError if it is not there."""
    if not inputs.flag("compare"):
        return None
    old = inputs.text("compare-from")
    if not old:
        raise UsageError("compare: compare-from is missing, the release that runs")
    if not (inputs.context / old).exists():
        raise UsageError(f"compare-from: {old}: there is no such release")
    return old


def compare(inputs: Inputs, old: str, told: Told) -> Path:
    """Compare; the folder of the reports. Raises CompareError with the one sentence that matters.

    The image is there by then, whatever comes of this.
    """
    [(image, _)] = told.images if len(told.images) == 1 else [(None, None)]
    if image is None:
        raise CompareError(f"compare: there are {len(told.images)} releases, and one is compared")
    # Kept after the step, for one that uploads it.
    out = Path(tempfile.mkdtemp(prefix="imagesmith-report-", dir=os.environ.get("RUNNER_TEMP")))
    recipe = inputs.text("recipe")
    words = [
        *(sys.executable, "-I", "-m", "imagesmith", "compare"),
        *(f"--from={old}", f"--to={image['release']}", f"--out={out}"),
        *[f"--release={name}" for name in inputs.words("release")],
        *inputs.registries(),
        *(["--", recipe] if recipe.endswith((".yml", ".yaml")) else []),
    ]
    said = Told()
    with (
        group(shlex.join(["imagesmith", *words[4:]])),
        subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            cwd=inputs.context,
        ) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            print(said.hear(line.rstrip("\n")), flush=True)
    if process.returncode:
        raise CompareError(said.last_error)
    return out
