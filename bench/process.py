"""One measured process, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Failed", "Measured", "measure", "run"]


class Failed(Exception):
    """A measured process that ended otherwise than with 0, and what it said."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Wall-clock seconds, and the peak resident memory in bytes of the process or of any that it
    started and waited for, whichever is largest.
    """

    seconds: float
    peak: int


def measure(command: Sequence[str | Path], environment: Mapping[str, str]) -> Measured:
    """Run it with these variables beside our own; raises Failed."""
    with tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        # wait4 knows the memory of this child alone, resource.getrusage that of all together.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise Failed(
                f"{' '.join(map(str, command))}: exit code {process.returncode}\n{said.read()}"
            )
    return Measured(seconds, usage.ru_maxrss * 1024)


def run(*command: str | Path) -> str:
    """Stdout of a command that is not measured; its stderr is shown."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    # An installed program has its byte code beside it. Where this variable is set, as in many
    # container images, a first run would leave none, and every run would compile all modules.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **added}
