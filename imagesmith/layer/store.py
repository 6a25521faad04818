"""Where written layers are kept, by key.

`Store` is all that `build` asks for. `Scratch` keeps them for one run; the shared layer cache
will be the store that outlives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from imagesmith.errors import OutputError
from imagesmith.layer.gzip import codec, write_gzip

__all__ = ["Blob", "Scratch", "Store"]


@dataclass(frozen=True, slots=True)
class Blob:
    """A compressed layer: digests as `sha256:…`, size in bytes, the codec that wrote it."""

    diff_id: str
    digest: str
    size: int
    codec: str
    path: Path

    def open(self) -> BinaryIO:
        """Its bytes."""
        return self.path.open("rb")


class Store(Protocol):
    """Layers by key."""

    def get(self, key: str) -> Blob | None:
        """The layer of this key, if it is here and whole."""

    def put(self, key: str, tar: Callable[[], Iterable[bytes]]) -> Blob:
        """Write the layer; atomic: after a failure nothing is here under this key."""


class Scratch:
    """A store in a folder that its owner removes at the end of the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs: dict[str, Blob] = {}

    def get(self, key: str) -> Blob | None:
        """See Store."""
        return self._blobs.get(key)

    def put(self, key: str, tar: Callable[[], Iterable[bytes]]) -> Blob:
        """See Store. Raises OutputError if the disk is full or cannot be written, and as `tar`."""
        path = self.folder / key
        try:
            with path.open("xb") as file:
                diff_id, digest, size = write_gzip(tar(), file)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if not isinstance(error, OSError):
                raise
            reason = error.strerror or str(error)
            raise OutputError(f"{self.folder}: a layer cannot be written: {reason}") from None
        blob = Blob(f"sha256:{diff_id}", f"sha256:{digest}", size, codec(), path)
        self._blobs[key] = blob
        return blob
