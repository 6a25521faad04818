"""The entries of a cache, a file each: CACHE/layers/KE/KEY.

The time of a file is that of its last use.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from imagesmith.layer.entry import Entry, parse_entry
from imagesmith.oci.temporary import temporary

__all__ = ["Entries"]

MAX_BYTES = 64 << 10


class Entries:
    """Entries by key in a cache folder."""

    def __init__(self, cache: Path) -> None:
        self.folder = cache / "layers"
        self._temporaries = cache / "blobs/tmp"

    def path(self, key: str) -> Path:
        """Where the entry of this key lies, if there is one."""
        return self.folder / key[:2] / key

    def read(self, key: str) -> Entry | None:
        """The entry of this key, if it is there and whole."""
        try:
            with self.path(key).open("rb") as file:
                return parse_entry(file.read(MAX_BYTES), key)
        except OSError:
            return None

    def write(self, entry: Entry) -> None:
        """Keep an entry, in the place of what was known of its key. Raises OSError."""
        with temporary(self._temporaries) as made:
            made.file.write(entry.to_bytes())
            made.keep(self.path(entry.key))

    def use(self, key: str) -> None:
        """Mark the entry as used now. A cache that cannot be written is not pruned either."""
        with suppress(OSError):
            os.utime(self.path(key))
