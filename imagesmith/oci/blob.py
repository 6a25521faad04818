"""A blob to write: what it should be, and its bytes, checked as they are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from imagesmith.errors import OutputError
from imagesmith.oci.spec import Descriptor, digest_of

__all__ = ["CHUNK_BYTES", "BlobStore", "Source", "Verified", "checked"]

CHUNK_BYTES = 1 << 20


class Verified(io.BytesIO):
    """A blob in memory, hashed there: nothing can change it any more, so once is enough."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.digest = digest_of(data)


@dataclass(frozen=True, slots=True)
class Source:
    """A blob to write, and how to read it; a registry may mount it from one of its `holders`.

    Opening it can be dear: a layer that no one has asked for yet is fetched or written then.
    """

    descriptor: Descriptor
    open: Callable[[], BinaryIO]
    holders: tuple[str, ...] = ()

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, never more than its size. Raises OutputError at the end if it is another."""
        with self.open() as file:
            chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
            is_known = isinstance(file, Verified) and file.digest == self.descriptor.digest
            yield from chunks if is_known else checked(self.descriptor, chunks)


def checked(descriptor: Descriptor, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, never more than the size. Raises OutputError at the end if they are others."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > descriptor.size:
            break
        digest.update(chunk)
        yield chunk
    if size != descriptor.size:
        found = "more" if size > descriptor.size else "fewer"
        raise OutputError(
            f"blob {descriptor.digest} is damaged: {found} than its {descriptor.size} bytes"
        )
    if f"sha256:{digest.hexdigest()}" != descriptor.digest:
        raise OutputError(f"blob {descriptor.digest} is damaged: it is {digest.hexdigest()}")


class BlobStore(Protocol):
    """Blobs by digest, kept between runs."""

    def open(self, descriptor: Descriptor) -> BinaryIO | None:
        """The blob, checked whole by size and digest; None if it is not here, or damaged."""

    def add(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """Keep a blob; whole or not at all. Raises OutputError if it is not what was described."""
