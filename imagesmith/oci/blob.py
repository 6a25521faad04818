"""A blob to write: what it should be, and its bytes, checked as they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imagesmith.errors import OutputError
from imagesmith.oci.spec import Descriptor

__all__ = ["Source"]

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A blob to write, and how to read it."""

    descriptor: Descriptor
    open: Callable[[], BinaryIO]

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, never more than its size. Raises OutputError at the end if it is another."""
        wanted, digest, size = self.descriptor, hashlib.sha256(), 0
        with self.open() as file:
            while chunk := file.read(CHUNK_BYTES):
                size += len(chunk)
                if size > wanted.size:
                    break
                digest.update(chunk)
                yield chunk
        if size != wanted.size:
            found = "more" if size > wanted.size else "fewer"
            raise OutputError(
                f"blob {wanted.digest} is damaged: {found} than its {wanted.size} bytes"
            )
        if f"sha256:{digest.hexdigest()}" != wanted.digest:
            raise OutputError(f"blob {wanted.digest} is damaged: it is {digest.hexdigest()}")
