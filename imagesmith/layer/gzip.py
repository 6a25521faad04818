"""gzip by libdeflate, in members of one MiB each.

RFC 1952, section 2.2: a gzip file is a series of members. Whole buffers let libdeflate work (it
has no streams), and a fixed size makes the bytes follow from the content alone: a streaming
compressor's output can also depend on how the writes were cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from typing import BinaryIO

import deflate

__all__ = ["LEVEL", "MEMBER_BYTES", "codec", "write_gzip"]

LEVEL = 6
MEMBER_BYTES = 1 << 20


def codec() -> str:
    """What wrote the bytes: compressed bytes are stable only within one version of it."""
    return f"libdeflate-{version('deflate')}-{LEVEL}"


def write_gzip(stream: Iterable[bytes], to: BinaryIO) -> tuple[str, str, int]:
    """Compress `stream` into `to`.

    Returns the SHA-256 (hex) of what went in, that of what came out, and the size in bytes of
    what came out: a layer's diff ID, digest and size. Raises OSError as `to` does.
    """
    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0

    def flush(block: bytes | memoryview) -> int:
        member = deflate.gzip_compress(block, LEVEL)
        plain.update(block)
        packed.update(member)
        to.write(member)
        return len(member)

    pending = bytearray()
    for chunk in stream:
        pending += chunk
        while len(pending) >= MEMBER_BYTES:
            size += flush(bytes(pending[:MEMBER_BYTES]))
            del pending[:MEMBER_BYTES]
    if pending or not size:  # a file without a member would be no gzip file
        size += flush(bytes(pending))
    return plain.hexdigest(), packed.hexdigest(), size
