"""The shared layer cache: written layers by key, for every build of every project of a user.

    CACHE/layers/KE/KEY         an entry for each key (see `entries`)
    CACHE/blobs/sha256/HEX      the blobs (see `oci.blobs`)
    CACHE/running/              a file for each running build (see `running`)

Any number of processes use it at once, and none waits for another: entries and blobs are renamed
into place, two that write the same key write the same bytes. It is a cache: whatever is missing or
damaged is a miss, and where it cannot be written the layers are kept for the run only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from imagesmith.errors import OutputError
from imagesmith.layer.entries import Entries
from imagesmith.layer.entry import Entry
from imagesmith.layer.gzip import codec
from imagesmith.layer.store import Scratch, Tar, compress, same_layer
from imagesmith.oci.blobs import BlobDir

__all__ = ["FOUND", "Cache"]

FOUND = "cache"
"""The `found` of entries from here."""

MAX_HOLDERS = 16


class Cache:
    """A Store in a folder. `spare` takes what the folder does not, and `tell` hears once why."""

    def __init__(self, folder: Path, spare: Scratch, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.blobs = BlobDir(folder / "blobs")
        self.entries = Entries(folder)
        self._spare = spare
        self._tell = tell
        self._codec = codec()
        self._writable = True

    def find(self, key: str) -> Entry | None:
        """See Store. What is found is marked as used: its mtime is the time of last use."""
        entry = self.entries.read(key)
        # Blobs of another codec have other digests: a build would depend on who built before.
        if entry is None or entry.codec != self._codec:
            return self._spare.find(key)
        self.entries.use(key)
        return replace(entry, found=FOUND)

    def write(self, key: str, tar: Tar, of: str = "") -> Entry:
        """See Store."""
        entry, blob = self._write(key, tar, of)
        if blob:
            blob.close()
        return entry

    def open(self, entry: Entry, tar: Tar) -> BinaryIO:
        """See Store."""
        blob = self.blobs.open(entry.descriptor)
        if blob:
            return blob
        if self._spare.find(entry.key) is None:
            written, blob = self._write(entry.key, tar, entry.of)
            same_layer(entry, written)
            if blob:
                return blob
        return self._spare.open(entry, tar)

    def keep(self, entry: Entry) -> None:
        """Note down an entry, in the place of what was known of its key. Never fails."""
        if not self._writable:
            return
        try:
            self.entries.write(entry)
        except OSError as error:
            self._give_up(f"{self.folder}: cannot be written: {error.strerror or error}")

    def holds(self, key: str, repository: str) -> None:
        """Note that a repository (`HOST/NAME`) has the blob of this key. Never fails."""
        entry = self.entries.read(key)
        if entry and repository not in entry.holders[:1]:
            others = [item for item in entry.holders if item != repository]
            self.keep(replace(entry, holders=(repository, *others)[:MAX_HOLDERS]))

    def _write(self, key: str, tar: Tar, of: str) -> tuple[Entry, BinaryIO | None]:
        """The layer, and its blob if it was written here and not into the spare store."""
        if not self._writable:
            return self._spare.write(key, tar, of), None
        written: list[Entry] = []

        def fill(file: BinaryIO) -> str:
            written.append(compress(key, tar, of, file))
            return written[0].digest

        try:
            blob = self.blobs.write(fill)
        except OutputError as error:
            self._give_up(error.message)
            return self._spare.write(key, tar, of), None
        self.keep(written[0])
        return written[0], blob

    def _give_up(self, reason: str) -> None:
        """The build goes on: it is the output that the user wants, not the cache."""
        self._writable = False
        self._tell(f"{reason}; layers are not kept for the next build")
