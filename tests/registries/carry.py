"""Pushes four large layers at once and pulls them again; prints the bytes it took at most.

    python -m tests.registries.carry HOST/NAME MEGABYTES

A program of its own: the most memory that a process has had is never less again.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imagesmith.oci.blob import Source
from imagesmith.oci.patience import Patience
from imagesmith.oci.push import Wanted, push_images
from imagesmith.oci.reference import Reference
from imagesmith.oci.spec import Descriptor, MediaType, manifest
from tests.registries.pushes import registry_client

ZEROS = bytes(1 << 20)


class _Zeros(io.RawIOBase):
    """A file of so many zeros, which lies nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        size = min(len(buffer), self._left)
        buffer[:size] = bytes(size)
        self._left -= size
        return size


def _layer(size: int) -> Source:
    digest = hashlib.sha256()
    for start in range(0, size, len(ZEROS)):
        digest.update(ZEROS[: size - start])
    descriptor = Descriptor(MediaType.LAYER_TAR, f"sha256:{digest.hexdigest()}", size)

    def read() -> BinaryIO:
        return io.BufferedReader(_Zeros(size))

    return Source(descriptor, read)


def _main(name: str, megabytes: int) -> None:
    layers = [_layer((megabytes << 20) // 4 + number) for number in range(4)]
    config = b"{}"
    blobs = [*layers, Source(Descriptor.of(MediaType.CONFIG, config), partial(io.BytesIO, config))]
    document = manifest(blobs[-1].descriptor, [item.descriptor for item in layers], {})
    wanted = Wanted(blobs, document, MediaType.MANIFEST, [Reference.parse(f"{name}:1")])
    client = registry_client(patience=Patience())
    push_images(client, [wanted])
    repository = client.repository(name)
    pulled = sum(len(chunk) for item in layers for chunk in repository.chunks(item.descriptor))
    assert pulled >= megabytes << 20
    print(_most_memory())


def _most_memory() -> int:
    """Of this program alone: what getrusage says begins with the most of who started it."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)  # proc(5): "peak resident set size"
    assert found
    return int(found[1]) * 1024


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
