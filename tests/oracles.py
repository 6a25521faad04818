"""Tools of others that read what we write: skopeo, umoci, crane (`.ci/tools oracles`)."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.shop import REPO

KEPT = REPO / ".cache/tools/crane/usr/bin"


def run(tool: str, *arguments: object, fails: bool = False) -> str:
    """Run an oracle; a missing one is a failure, since nothing would be checked."""
    path = os.pathsep.join([os.environ["PATH"], os.environ.get("IMAGESMITH_ORACLES", str(KEPT))])
    found = shutil.which(tool, path=path)
    assert found, f"{tool} is not on PATH: run `.ci/tools oracles` and put what it prints there"
    ran = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True)
    assert (ran.returncode != 0) is fails, ran.stderr
    return ran.stdout
