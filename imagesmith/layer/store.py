"""Where written layers are kept, by key.

`Store` is all that `build` asks for. `Scratch` keeps them for one run, `cache.Cache` for every
later one. A store can be put around another, and look elsewhere for what that one lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from imagesmith.errors import OutputError
from imagesmith.layer.entry import Entry
from imagesmith.layer.gzip import codec, write_gzip
from imagesmith.oci.spec import MediaType

__all__ = ["Entry", "Scratch", "Store", "Tar", "compress"]

Tar = Callable[[], Iterable[bytes]]
"""Makes a layer's tar; may be called more than once, or never."""


class Store(Protocol):
    """Layers by key."""

    def find(self, key: str) -> Entry | None:
        """The layer of this key, if it is known. Cheap: no blob is read, or even looked for."""

    def write(self, key: str, tar: Tar, of: str = "") -> Entry:
        """Write the layer, which `of` names in words, and keep it.

        Atomic: after a failure nothing is known under this key. Raises OutputError, and as `tar`.
        """

    def open(self, entry: Entry, tar: Tar) -> BinaryIO:
        """The layer's blob, checked; written again where it is lacking or damaged.

        Raises OutputError, and as `tar`.
        """


class Scratch:
    """A store in a folder that its owner removes at the end of the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[str, Entry] = {}

    def find(self, key: str) -> Entry | None:
        """See Store."""
        return self._entries.get(key)

    def write(self, key: str, tar: Tar, of: str = "") -> Entry:
        """See Store."""
        path = self.folder / key
        try:
            with path.open("xb") as file:
                entry = compress(key, tar, of, file)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if not isinstance(error, OSError):
                raise
            reason = error.strerror or str(error)
            raise OutputError(
                f"{self.folder}: a layer cannot be written: {reason}",
                hint="Free some room there, or set TMPDIR to a folder that has it.",
            ) from None
        self._entries[key] = entry
        return entry

    def open(self, entry: Entry, tar: Tar) -> BinaryIO:
        """See Store; what this run has written is taken as it is."""
        if entry.key not in self._entries:
            same_layer(entry, self.write(entry.key, tar, entry.of))
        return (self.folder / entry.key).open("rb")


def compress(key: str, tar: Tar, of: str, to: BinaryIO) -> Entry:
    """Write a layer's blob. Raises OSError as `to`, and as `tar`."""
    diff_id, digest, size = write_gzip(tar(), to)
    return Entry(
        key, f"sha256:{diff_id}", f"sha256:{digest}", size, MediaType.LAYER_GZIP, codec(), of=of
    )


def same_layer(known: Entry, written: Entry) -> None:
    """Raise OutputError if a layer that was written again became another blob."""
    if written.digest == known.digest:
        return
    if written.diff_id == known.diff_id:
        raise OutputError(
            f"the layer {known.of or known.key} was compressed to {known.digest} by {known.codec}, "
            f"and cannot be made again by {written.codec}",
            hint="Its blob is nowhere to be found any more: build without --cache-from, or install "
            "the codec that wrote it.",
        )
    raise OutputError(
        f"the layer {known.of or known.key} is known as {known.diff_id}, but its files are now "
        f"{written.diff_id}",
        hint="Let the release alone while it is built into an image, then build again.",
    )
