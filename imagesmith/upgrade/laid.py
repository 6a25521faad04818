"""NEW as a bundle leaves it on a volume: OLD's tree, with the files that the bundle brings on it.

So a bundle can be looked at where NEW's own release and image are not at hand.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from imagesmith.beam.release import Release
from imagesmith.beam.tree import CHUNK_BYTES, Entry, File, Link
from imagesmith.errors import BundleError
from imagesmith.upgrade.bundle import Bundle, volume_tar
from imagesmith.upgrade.facts import IMAGE

__all__ = ["LaidTree"]

START_DATA = "releases/start_erl.data"


class LaidTree:
    """A Tree; `below` is the release that the bundle leads from, open as long as its own tree is.

    Raises BundleError if the bundle is damaged.
    """

    def __init__(self, below: Release, bundle: Bundle) -> None:
        facts = bundle.facts
        self.name = f"{facts.name} {facts.after} of a bundle"
        self._below = below.tree
        self._spool = tempfile.TemporaryFile(prefix="imagesmith-")  # noqa: SIM115 - lives as we do
        self._brought: dict[str, bytes | tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        gone = tuple(
            f"lib/{change.name}-{change.before}/" for change in facts.changes if change.before
        )
        found: dict[str, Entry] = {
            path: entry
            for path, entry in below.tree.entries.items()
            if not path.startswith((*gone, f"{below.folder}/"))
        }
        found |= self._unpacked(bundle)
        found |= self._linked(below, bundle)
        data = f"{facts.erts} {facts.after}".encode()
        self._brought[START_DATA] = data
        found[START_DATA] = File(len(data), executable=False)
        self.entries: Mapping[str, Entry] = dict(sorted(found.items()))

    def open(self, path: str) -> BinaryIO:
        """See Tree."""
        return io.BytesIO(self.read(path))

    def read(self, path: str, size: int = -1) -> bytes:
        """See Tree."""
        match self._brought.get(path):
            case bytes(data):
                return data if size < 0 else data[:size]
            case (start, held):
                self._spool.seek(start)
                return self._spool.read(held if size < 0 else min(size, held))
        return self._below.read(self._links.get(path, path), size)

    def stream(self, path: str) -> Iterator[bytes]:
        """See Tree."""
        with self.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def _unpacked(self, bundle: Bundle) -> Iterator[tuple[str, Entry]]:
        for chunk in volume_tar(bundle):
            self._spool.write(chunk)
        self._spool.seek(0)
        with tarfile.open(fileobj=self._spool, mode="r:") as archive:
            for member in archive:
                if member.isreg():
                    self._brought[member.name] = (member.offset_data, member.size)
                    yield member.name, File(member.size, bool(member.mode & 0o100))

    def _linked(self, below: Release, bundle: Bundle) -> Iterator[tuple[str, Entry]]:
        """Links; one into the image is the file that OLD has there, since no upgrade changes it."""
        folders = {item.name: item.folder for item in below.applications}
        for link in bundle.facts.links:
            if not link.target.startswith(f"{IMAGE}/"):
                yield link.path, Link(link.target)
                continue
            inside = link.target.removeprefix(f"{IMAGE}/")
            top, name, rest = [*inside.split("/", 2), "", ""][:3]
            place = f"{folders[name]}/{rest}" if top == "lib" and name in folders else inside
            if place not in below.tree.entries:
                raise BundleError(
                    f"the bundle leads to {link.target}, which {below.name} {below.version} has not"
                )
            self._links[link.path] = place
            yield link.path, below.tree.entries[place]
