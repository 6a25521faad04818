"""The disk, as a recipe sees it: the paths that it names, and what lies there.

Whatever a recipe's validation asks the disk goes through here, and each answer is noted. So a
recipe that was validated before is valid still where the disk answers the same (`load`).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from imagesmith.oci.spec import Json, object_of

__all__ = ["Disk", "is_unchanged"]


class Disk:
    """Paths count from the recipe's `folder`, which is absolute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, str] = {}
        self._kinds: dict[str, str | None] = {}

    def find(self, text: str) -> Path:
        """The path that a text leads to, without links; there need be nothing."""
        self._paths[text] = found = os.path.realpath(self._folder / text)
        return Path(found)

    def kind(self, path: Path) -> str | None:
        """Tell whether a path is a `folder` or a `file`; None for nothing that could be used."""
        self._kinds[str(path)] = found = _kind(path)
        return found

    def seen(self) -> dict[str, Json]:
        """What `is_unchanged` takes: everything that was asked, and the answers."""
        return {"paths": dict(self._paths), "kinds": dict(self._kinds)}


def is_unchanged(folder: Path, seen: Json) -> bool:
    """Whether the disk answers still what it did to the recipe of a folder."""
    answered, disk = object_of(seen, "memo"), Disk(folder)
    for text in object_of(answered["paths"], "memo"):
        disk.find(text)
    for path in object_of(answered["kinds"], "memo"):
        disk.kind(Path(path))
    return disk.seen() == answered


def _kind(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a path that no system has
        return None
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else None
