"""A file on its way: written in a folder for temporaries, then renamed to where it is wanted.

So it is there whole or not at all, whatever ends its writer. A lock (flock(2)), which the kernel
drops with its holder, tells the file of a living writer from one that a killed run has left.

Nothing is synced to the disk (fsync(2)). A power cut can leave a renamed file empty or cut short,
so this is for what is checked by its digest whenever it is read, and can be made again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["Temporary", "sweep", "temporary"]


class Temporary:
    """A file that is being written: `file`, for writing and reading, lies at `path`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file

    def keep(self, at: Path) -> None:
        """Give it its name, in the place of what has it now. Raises OSError."""
        self.file.flush()
        at.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(at)


@contextmanager
def temporary(folder: Path, prefix: str = "") -> Iterator[Temporary]:
    """A new file in `folder`, removed at the end unless it was kept. Raises OSError.

    The folder has to be on the file system where the file is wanted. The file's name starts with
    `prefix`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = None
    while made is None:
        made = _locked(folder / f"{prefix}{os.getpid()}-{os.urandom(8).hex()}")
    try:
        yield made
    finally:
        made.path.unlink(missing_ok=True)  # once renamed, there is nothing of this name
        # On a full disk the flush fails once more; whoever kept the file has flushed it.
        with suppress(OSError):
            made.file.close()


def sweep(folder: Path) -> None:
    """Remove the files that killed runs have left in a folder for temporaries."""
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
                finally:
                    os.close(handle)


def _locked(path: Path) -> Temporary | None:
    """The file, held; None where a sweep has taken it for a dead run's before it was locked."""
    file = path.open("x+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink:
            return Temporary(path, file)
    except BlockingIOError:
        pass
    except OSError:
        path.unlink(missing_ok=True)
        file.close()
        raise
    file.close()
    return None
