"""How many connections a process of this user can have."""

from __future__ import annotations

import resource

from imagesmith.errors import CompareError

__all__ = ["SPARE", "allow"]

SPARE = 512
"""Open files besides the held connections: requests that are not answered yet, Python's own."""


def allow(connections: int) -> None:
    """Raise the soft limit of open files as far as they need it; CompareError where the hard limit
    is too small."""
    needed = connections + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CompareError(
            f"{connections} held connections need {needed} open files, and this user may have "
            f"{hard}",
            hint=f"raise the hard limit (`ulimit -Hn`), or hold {max(1, hard - SPARE)} at most",
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
