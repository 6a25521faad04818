"""An OCI image layout as one tar, which `docker load`, skopeo and containerd read.

With a `manifest.json` beside it, as BuildKit's docker exporter writes it, a Docker of either
image store loads it; without, it is the plain OCI archive.
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from imagesmith.errors import OutputError
from imagesmith.oci.layout import LAYOUT_FILE, Source
from imagesmith.oci.spec import Descriptor, Json, index, to_bytes

__all__ = ["DockerImage", "write_archive", "write_archive_file"]

MTIME = 315_532_800  # 1980-01-01, as in every layer


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
        if path.is_dir():
            raise OutputError(
                f"{path}: there is a folder of this name", hint="Choose another dest."
            )
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
    """Write the archive, once and straight on: `to` may be a pipe. Raises OSError as `to` does."""
    with tarfile.open(fileobj=to, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "oci-layout", LAYOUT_FILE)
        _add(archive, "index.json", index(manifests))
        if images:
            _add(archive, "manifest.json", to_bytes([image.to_json() for image in images]))
        written: set[str] = set()
        for blob in blobs:
            if blob.descriptor.digest not in written:
                written.add(blob.descriptor.digest)
                with blob.open() as file:
                    info = _info(_blob(blob.descriptor.digest), blob.descriptor.size)
                    archive.addfile(info, file)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_info(name, len(data)), io.BytesIO(data))


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, MTIME
    return info


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
