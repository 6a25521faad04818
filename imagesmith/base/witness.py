"""A witness of what is looked at in a sysroot: it can tell later whether all of it is as it was."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from imagesmith.base.sysroot import Entry, FolderRoot, Sysroot
from imagesmith.oci.spec import Json, array, string

__all__ = ["Witness", "is_unchanged"]

TICK = 20_000_000
"""Nanoseconds, more than a tick of the kernel's clock: a file that is changed twice within one
keeps its times."""


class Witness(Sysroot):
    """A folder's system, and every path of it that was looked at, also where nothing was.

    Each is looked at once, and its state is noted before its content is read: a change meanwhile
    shows as a change afterwards.
    """

    def __init__(self, root: FolderRoot) -> None:
        self.name = root.name
        self._root = root
        self._started = time.time_ns()
        self._looked: dict[str, Entry | None] = {}
        self._listed: set[str] = set()
        self._states: dict[str, _State] = {}

    def entry(self, path: str) -> Entry | None:
        """See Sysroot."""
        if path not in self._looked:
            self._states.setdefault(path, _state(self._root, path))
            self._looked[path] = self._root.entry(path)
        return self._looked[path]

    def children(self, path: str) -> list[str]:
        """See Sysroot."""
        if path not in self._listed:
            self._listed.add(path)
            self._states[path] = _state(self._root, path, listed=True)
        return self._root.children(path)

    def open(self, path: str) -> BinaryIO:
        """See Sysroot."""
        self.entry(path)
        return self._root.open(path)

    def testimony(self) -> Mapping[str, Json] | None:
        """What `is_unchanged` asks for; None where a change may have come too late to be seen."""
        if any(changed > self._started - TICK for _, changed in self._states.values()):
            return None
        looked, listed = sorted(self._looked.keys() - self._listed), sorted(self._listed)
        states = (self._states[path] for path in (*looked, *listed))
        return {"looked": looked, "listed": listed, "state": _digest(states)}


def is_unchanged(root: FolderRoot, testimony: Mapping[str, Json]) -> bool:
    """Whether all that a witness has looked at is as it was: an lstat(2) a path."""
    looked = array(testimony.get("looked"), "looked")
    listed = array(testimony.get("listed"), "listed")
    states = [_state(root, string(path, "looked")) for path in looked]
    states += [_state(root, string(path, "listed"), listed=True) for path in listed]
    return _digest(states) == testimony.get("state")


_State = tuple[str, int]
"""What tells one state of a path from another, and when it last changed, in ns since 1970."""


def _state(root: FolderRoot, path: str, *, listed: bool = False) -> _State:
    """Of a folder that was only passed through no more than that: others may write into it."""
    try:
        found = os.lstat(root.host(path))
    except OSError:
        return "nothing", 0
    if stat.S_ISDIR(found.st_mode) and not listed:
        return "folder", 0
    times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
    return f"{found.st_mode} {found.st_ino} {found.st_size} {times}", found.st_ctime_ns


def _digest(states: Iterable[_State]) -> str:
    return hashlib.sha256("\n".join(text for text, _ in states).encode()).hexdigest()
