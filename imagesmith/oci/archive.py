"""An OCI image layout as one tar, which `docker load`, skopeo and containerd read.

With a `manifest.json` beside it, as BuildKit's docker exporter writes it, a Docker of either
image store loads it; without, it is the plain OCI archive.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from imagesmith.errors import OutputError
from imagesmith.oci.blob import Source
from imagesmith.oci.layout import LAYOUT_FILE
from imagesmith.oci.spec import EPOCH, Descriptor, Json, index, to_bytes

__all__ = ["DockerImage", "write_archive", "write_archive_file"]


class DockerImage:
    """An entry of `manifest.json`: config, layers bottom to top, `name:tag` references."""

    def __init__(self, config: str, layers: Sequence[str], tags: Sequence[str]) -> None:
        self.config, self.layers, self.tags = config, layers, tags

    def to_json(self) -> dict[str, Json]:
        """Paths inside of the archive, by digest."""
        return {
            "Config": _blob(self.config),
            "RepoTags": list(self.tags),
            "Layers": [_blob(layer) for layer in self.layers],
        }


def write_archive_file(
    path: Path,
    blobs: Sequence[Source],
    manifests: Sequence[Descriptor],
    images: Sequence[DockerImage] = (),
) -> None:
    """Write the archive to a file, which appears whole or not at all. Raises OutputError."""
    temporary = ""
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "something that is no file"
            raise OutputError(f"{path}: there is {kind} here", hint="Choose another dest.")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            write_archive(file, blobs, manifests, images)
        Path(temporary).replace(path)
        temporary = ""
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def write_archive(
    to: IO[bytes],
    blobs: Sequence[Source],
    manifests: Sequence[Descriptor],
    images: Sequence[DockerImage] = (),
) -> None:
    """Write the archive, once and straight on: `to` may be a pipe.

    Raises OSError as `to` does, OutputError for a damaged blob.
    """
    size = _add(to, "oci-layout", [LAYOUT_FILE]) + _add(to, "index.json", [index(manifests)])
    if images:
        size += _add(to, "manifest.json", [to_bytes([image.to_json() for image in images])])
    written: set[str] = set()
    for blob in blobs:
        digest = blob.descriptor.digest
        if digest not in written:
            written.add(digest)
            size += _add(to, _blob(digest), blob.chunks(), blob.descriptor.size)
    end = size + 2 * tarfile.BLOCKSIZE
    to.write(bytes(2 * tarfile.BLOCKSIZE + -end % tarfile.RECORDSIZE))


def _add(to: IO[bytes], name: str, data: Iterable[bytes], size: int | None = None) -> int:
    """Write a member; returns how many bytes of the archive it takes."""
    if size is None:
        size = sum(map(len, data))
    header = _info(name, size).tobuf(tarfile.PAX_FORMAT)
    to.write(header)
    for chunk in data:
        to.write(chunk)
    padding = -size % tarfile.BLOCKSIZE
    to.write(bytes(padding))
    return len(header) + size + padding


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, EPOCH
    return info


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
