"""An image of ours seen as the release that it was made of: the layout of `layer/files.py` undone.

    lib/APP/…                  lib/APP-VSN/…                    as the links lib/APP-VSN name it
    consolidated/…             releases/VSN/consolidated/…      as the link there names it
    image-bin/…                bin/…                            a pet's: its bin/ holds wrappers

So `read_release` reads it. What the image changed (a prelude in env.sh, canonical modules) stays.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from imagesmith.base.imageroot import ImageRoot
from imagesmith.beam.tree import CHUNK_BYTES, EmptyFolder, Entry, File, Link, Special
from imagesmith.errors import BaseError, ReleaseError
from imagesmith.image.cattle import ROOT

__all__ = ["ImageTree"]

OF_A_PET = ("pet", "releases/RELEASES")


class ImageTree:
    """A Tree over the layers of an image that hold its release; open as long as they are."""

    def __init__(self, root: ImageRoot) -> None:
        self._root = root
        self.name = root.name
        held = dict(_walk(root, ""))
        self._places = dict(_moved(held))
        self.entries: Mapping[str, Entry] = {
            path: held[self._places[path]] for path in sorted(self._places)
        }

    def open(self, path: str) -> BinaryIO:
        """See Tree."""
        try:
            return self._root.open(f"/{ROOT}/{self._places[path]}")
        except (KeyError, BaseError):
            raise ReleaseError(f"{self.name}: {path} cannot be read") from None

    def read(self, path: str, size: int = -1) -> bytes:
        """See Tree."""
        with self.open(path) as file:
            return file.read(size)

    def stream(self, path: str) -> Iterator[bytes]:
        """See Tree."""
        with self.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def text(self, path: str) -> str | None:
        """A small file of the image itself, by its path under the release's root, if it is."""
        return self._root.text(f"/{ROOT}/{path}")


def _walk(root: ImageRoot, folder: str) -> Iterator[tuple[str, Entry]]:
    top = f"/{ROOT}/{folder}".rstrip("/")
    names = sorted(root.children(top))
    if folder and not names:
        yield folder, EmptyFolder()
    for name in names:
        path = f"{folder}/{name}" if folder else name
        entry = root.entry(f"/{ROOT}/{path}")
        assert entry is not None
        if stat.S_ISDIR(entry.mode):
            yield from _walk(root, path)
        elif stat.S_ISLNK(entry.mode):
            yield path, Link(entry.target)
        elif stat.S_ISREG(entry.mode):
            with root.open(f"/{ROOT}/{path}") as file:
                size = file.seek(0, os.SEEK_END)
            yield path, File(size, bool(entry.mode & stat.S_IXUSR))
        else:
            yield path, Special("a device")


def _moved(held: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
    """Each path in the release, and where the image has it."""
    links = {path: entry.target for path, entry in held.items() if isinstance(entry, Link)}
    folders = {
        f"lib/{target}": path
        for path, target in links.items()
        if path.startswith("lib/") and path.count("/") == 1 and "/" not in target
    }
    for path, target in links.items():
        if path.startswith("releases/") and target == "../../consolidated":
            folders["consolidated"] = path
    has_wrappers = any(path.startswith("image-bin/") for path in held)
    if has_wrappers:
        folders["image-bin"] = "bin"
    for path in held:
        if path in folders.values() or (has_wrappers and path.startswith(OF_A_PET)):
            continue
        if has_wrappers and f"image-{path}" in held:
            continue
        top = "/".join(path.split("/", 2)[:2]) if path.startswith("lib/") else path.split("/")[0]
        yield (f"{folders[top]}{path.removeprefix(top)}" if top in folders else path), path
