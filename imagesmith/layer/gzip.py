"""gzip by libdeflate, in members of one MiB each.

RFC 1952, section 2.2: a gzip file is a series of members. Whole buffers let libdeflate work (it
has no streams), and a fixed size makes the bytes follow from the content alone: a streaming
compressor's output can also depend on how the writes were cut.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import deflate

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["LEVEL", "MEMBER_BYTES", "codec", "write_gzip"]

LEVEL = 6
MEMBER_BYTES = 1 << 20
THREADS = 3
"""libdeflate works outside of the interpreter's lock; more would wait for the tar writer."""


def codec() -> str:
    """What wrote the bytes: compressed bytes are stable only within one version of it."""
    return f"libdeflate-{deflate.__version__}-{LEVEL}"


def write_gzip(stream: Iterable[bytes], to: BinaryIO) -> tuple[str, str, int]:
    """Compress `stream` into `to`.

    Returns the SHA-256 (hex) of what went in, that of what came out, and the size in bytes of
    what came out: a layer's diff ID, digest and size. Raises OSError as `to` does.
    """
    # Only what writes a layer has use for threads, and an unchanged build writes none.
    from concurrent.futures import ThreadPoolExecutor

    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    with ThreadPoolExecutor(THREADS) as pool:
        # In order, and never more of them than threads: so much memory, whatever the layer's size.
        members: deque[Future[bytearray]] = deque()

        def write_first() -> int:
            member = members.popleft().result()
            packed.update(member)
            to.write(member)
            return len(member)

        for block in _blocks(stream):
            members.append(pool.submit(deflate.gzip_compress, block, LEVEL))
            plain.update(block)
            if len(members) == THREADS:
                size += write_first()
        while members:
            size += write_first()
    return plain.hexdigest(), packed.hexdigest(), size


def _blocks(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The stream in pieces of MEMBER_BYTES; the last one is smaller, and an only one may be empty.

    A file without a member would be no gzip file.
    """
    pending = bytearray()
    is_empty = True
    for chunk in stream:
        pending += chunk
        while len(pending) >= MEMBER_BYTES:
            yield bytes(pending[:MEMBER_BYTES])
            is_empty = False
            del pending[:MEMBER_BYTES]
    if pending or is_empty:
        yield bytes(pending)
