"""Blobs by digest in a folder of this machine, kept between runs and shared by processes.

    FOLDER/sha256/HEX   a blob
    FOLDER/tmp/…        one that is being written

A blob is hashed whole before it is handed out, so it does not matter what a crash, a bad disk or a
meddler has left here: a damaged blob is removed, and is a blob that is not here. A small one, as
nearly all are, is handed out from memory then; a large one is hashed again as it is read. Of
several processes that write the same one, each renames its own into place, and all have written
the same.

A layout gets copies, never hard links: `chmod`, `chown` and edits in place would reach into the
cache. And all that a link would save of an unchanged build is 2 %: the bytes are hashed anyway.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from imagesmith.errors import OutputError
from imagesmith.oci.blob import CHUNK_BYTES, Verified, checked
from imagesmith.oci.spec import Descriptor
from imagesmith.oci.temporary import sweep, temporary

__all__ = ["BlobDir"]

HELD_BYTES = 8 << 20
"""The largest blob that is handed out from memory."""


class BlobDir:
    """A BlobStore in a folder, which is made when the first blob is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._swept = False

    def path(self, digest: str) -> Path:
        """Where the blob of this digest lies, if it is here."""
        return self.folder / digest.replace(":", "/")

    def open(self, descriptor: Descriptor) -> BinaryIO | None:
        """See BlobStore. What is opened is marked as used: its mtime is the time of last use."""
        path = self.path(descriptor.digest)
        try:
            file = path.open("rb")
        except OSError:
            return None
        blob = _whole(file, descriptor)
        if blob is not file:
            file.close()
        with suppress(OSError):
            if blob is None:
                path.unlink()
            else:
                os.utime(path)
        return blob

    def add(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """See BlobStore. Raises OutputError for a disk that refuses too."""

        def fill(file: BinaryIO) -> str:
            for chunk in checked(descriptor, chunks):
                file.write(chunk)
            return descriptor.digest

        self.write(fill).close()

    def write(self, fill: Callable[[BinaryIO], str]) -> BinaryIO:
        """Keep what `fill` writes, under the digest that it returns.

        Returns the blob for reading, since another process may remove it from here at any time.
        Raises OutputError if the disk refuses, and as `fill` does; then nothing is kept.
        """
        place = self.folder / "tmp"
        if not self._swept:
            self._swept = True
            sweep(place)
        try:
            with temporary(place) as made:
                digest = fill(made.file)
                blob = made.path.open("rb")
                made.keep(self.path(digest))
                return blob
        except OSError as error:
            raise OutputError(
                f"{self.folder}: a blob cannot be written: {error.strerror or error}",
                hint="Free some room there, or name another folder with --cache-dir.",
            ) from None


def _whole(file: BinaryIO, descriptor: Descriptor) -> BinaryIO | None:
    """The blob, if the file is all of it: a small one in memory, a large one as this file."""
    try:
        if os.fstat(file.fileno()).st_size != descriptor.size:
            return None
        if descriptor.size <= HELD_BYTES:
            held = Verified(file.read(descriptor.size))
            return held if held.digest == descriptor.digest else None
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
        file.seek(0)
    except OSError:  # the disk cannot read it
        return None
    return file if f"sha256:{digest.hexdigest()}" == descriptor.digest else None
