"""A process that runs commands in containers: this one, or one that was killed over it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["VARIABLE", "Process"]

VARIABLE = "IMAGESMITH_PROCESS"
"""Each command in a container has it in its environment: `docker exec` leaves a command running
when the one that asked for it is killed, and by this it is found."""


@dataclass(frozen=True, slots=True)
class Process:
    """By its host and number, and by when it began, since numbers are used again."""

    host: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> Process:
        """The one that runs this."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Process:
        """The one of this machine that has this number now."""
        return cls(socket.gethostname(), pid, _started(pid))

    @property
    def is_here(self) -> bool:
        """Whether it is one of this machine, which knows whether it lives."""
        return self.host == socket.gethostname()

    def lives(self) -> bool:
        """Whether it still runs, on this machine."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return self.started == _started(self.pid)

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"


def _started(pid: int) -> str:
    """When a process of this machine began, or "" where none says or it has ended.

    proc(5), stat: field 22, and 3, which is Z for one that nobody has waited for yet.
    """
    try:
        found = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if found[0] == "Z" else found[19]
    except (OSError, LookupError):
        return ""
