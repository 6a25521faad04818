"""Which builds run on a cache: what they use is not pruned.

    CACHE/running/…   a file for each, locked as long as the build lives; its time is the start

Whatever was used since the oldest running build has started may be in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from imagesmith.oci.temporary import sweep, temporary

__all__ = ["running", "running_since"]

FOLDER = "running"


@contextmanager
def running(cache: Path) -> Iterator[None]:
    """Show that a build runs; where the cache cannot be written, nothing can be pruned either."""
    with ExitStack() as held:
        with suppress(OSError):
            sweep(cache / FOLDER)
            held.enter_context(temporary(cache / FOLDER))
        yield


def running_since(cache: Path) -> float | None:
    """When the oldest running build has started (seconds since 1970), if one runs."""
    sweep(cache / FOLDER)
    started = []
    with suppress(OSError):
        for path in (cache / FOLDER).iterdir():
            with suppress(FileNotFoundError):  # it has just ended
                started.append(path.stat().st_mtime)
    return min(started, default=None)
