"""The disk, as a recipe sees it: the paths that it names, and what lies there.

Whatever a recipe's validation asks the disk goes through here, and each answer is noted. So a
recipe that was validated before is valid still where the disk answers the same (`load`).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["Disk"]


class Disk:
    """Paths count from the recipe's `folder`, which is absolute.

    `paths` are the answers to `find`, `kinds` those to `kind`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.paths: dict[str, str] = {}
        self.kinds: dict[str, str | None] = {}

    def find(self, text: str) -> Path:
        """The path that a text leads to, without links; there need be nothing."""
        self.paths[text] = found = os.path.realpath(self._folder / text)
        return Path(found)

    def kind(self, path: Path) -> str | None:
        """Tell whether a path is a `folder` or a `file`; None for nothing that could be used."""
        self.kinds[str(path)] = found = _kind(path)
        return found


def _kind(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a path that no system has
        return None
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else None
