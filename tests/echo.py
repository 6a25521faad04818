"""Real releases of fixtures/echo, built by rebar3 and relx."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["ECHO", "build_echo"]

ECHO = Path(__file__).resolve().parent.parent / "fixtures/echo"


def build_echo(*arguments: str, **env: str) -> Path:
    """Run the fixture's build script; returns the release, or its tarball with `--tar`."""
    done = subprocess.run(
        [ECHO / "build", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    return Path(done.stdout.strip())
