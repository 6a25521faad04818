"""What BuildKit built, as an OCI layout on this machine.

A builder with an OCI exporter hands its blobs over as they are. Docker's classic store has none:
it loads what was built, and `docker save` writes layers as plain tars, so they are compressed
here; their diff IDs stay, their digests are not those of the base in its registry.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from imagesmith.docker.buildx import Build, BuildKit, Tell
from imagesmith.docker.images import save_image, untag_image
from imagesmith.docker.log import run_logged
from imagesmith.errors import BaseError, DockerError, OutputError
from imagesmith.layer.gzip import write_gzip
from imagesmith.oci.blob import Source
from imagesmith.oci.layout import MAX_DOCUMENT_BYTES, Layout, write_layout
from imagesmith.oci.spec import (
    Descriptor,
    Json,
    MediaType,
    array,
    manifest,
    object_of,
    parse,
    string,
)

__all__ = ["bases_folder", "export_build", "export_stored", "whole_layout"]

UNUSED_DAYS = 30
CHUNK_BYTES = 1 << 20


def bases_folder(cache: Path) -> Path:
    """Where a cache keeps exported bases; those that nobody used for a month are removed."""
    folder = cache / "bases"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            with suppress(FileNotFoundError):  # another build has just removed it
                if time.time() - entry.stat().st_mtime > UNUSED_DAYS * 86_400:
                    shutil.rmtree(entry, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be used: {error.strerror}",
            hint="Name a folder that can be written with --cache-dir.",
        ) from None
    return folder


def whole_layout(root: Path) -> Descriptor | None:
    """The one image of a layout, if all its blobs are there; marks it as used.

    The documents are checked by digest here, and layers when they are written.
    """
    try:
        layout = Layout(root)
        (entry,) = layout.manifests
        for blob in _blobs(layout.document(entry), str(root)):
            if layout.path(blob.digest).stat().st_size != blob.size:
                return None
        os.utime(root)
    except (BaseError, OSError, ValueError):
        return None
    return entry


def export_build(
    buildkit: BuildKit,
    build: Build,
    place: Callable[[Descriptor], Path],
    annotations: Mapping[str, str],
    tell: Tell | None,
    bases: Path,
) -> tuple[Path, Descriptor]:
    """Run the build and write its image to the layout `place`.

    `annotations` go on the layout's entry; `bases` is where there is room for large archives.
    Atomic, and several processes may write to one place.
    Raises DockerError in BuildKit's words, OutputError if the disk refuses.
    """
    with _scratch(bases) as scratch:
        archive = scratch / "image.tar"
        if buildkit.takes_layouts:
            output = {"type": "oci", "dest": str(archive)}
            run_logged(replace(build, output=output), tell)
        else:
            tag = f"imagesmith-export:{uuid.uuid4().hex}"
            run_logged(replace(build, output={"type": "docker"}, tags=[tag]), tell)
            try:
                save_image(tag, archive)
            finally:
                untag_image(tag)
        return _unpack(archive, scratch, place, annotations)


def export_stored(
    image: str,
    place: Callable[[Descriptor], Path],
    annotations: Mapping[str, str],
    bases: Path,
) -> tuple[Path, Descriptor]:
    """The same for an image that lies in Docker's classic store, by its ID."""
    with _scratch(bases) as scratch:
        save_image(image, scratch / "image.tar")
        return _unpack(scratch / "image.tar", scratch, place, annotations)


@contextmanager
def _scratch(bases: Path) -> Iterator[Path]:
    """A temporary folder in the cache, for archives can be large."""
    # buildx reads `--output` as comma-separated values.
    within = None if {",", '"'} & set(str(bases)) else bases
    try:
        with tempfile.TemporaryDirectory(prefix="export-", dir=within) as folder:
            yield Path(folder)
    except OSError as error:
        raise OutputError(f"{bases}: cannot be written: {error.strerror or error}") from None


def _unpack(
    archive: Path,
    scratch: Path,
    place: Callable[[Descriptor], Path],
    annotations: Mapping[str, str],
) -> tuple[Path, Descriptor]:
    try:
        with tarfile.open(archive, "r:") as tar:
            names = set(tar.getnames())
            if "manifest.json" in names:
                blobs, found = _saved(tar, scratch)
            else:
                blobs, found = _layout(tar)
            entry = replace(found, annotations=dict(annotations))
            folder = place(entry)
            if whole_layout(folder) is None:
                _set_aside(folder, scratch)
                write_layout(folder, blobs, [entry])
    except (tarfile.TarError, KeyError) as error:
        raise DockerError(f"the archive that Docker wrote is broken: {error}") from None
    return folder, entry


def _set_aside(folder: Path, scratch: Path) -> None:
    """Take away a folder that no layout can be read from; blobs are repaired where they lie."""
    try:
        Layout(folder)
    except BaseError:
        with suppress(FileNotFoundError):
            folder.rename(scratch / "damaged")


def _layout(tar: tarfile.TarFile) -> tuple[list[Source], Descriptor]:
    """An OCI archive of one image, blobs as they are."""
    listed = array(parse(_read(tar, "index.json"), "index.json").get("manifests"), "manifests")
    entries = [Descriptor.from_json(item, "index.json") for item in listed]
    if len(entries) != 1 or entries[0].media_type != MediaType.MANIFEST:
        raise DockerError(f"BuildKit wrote {len(entries)} entries where one image was expected")
    entry = entries[0]
    document = _read(tar, _path(entry.digest))
    blobs = [entry, *_blobs(document, entry.digest)]
    return [Source(blob, partial(_open, tar, _path(blob.digest))) for blob in blobs], entry


def _saved(tar: tarfile.TarFile, scratch: Path) -> tuple[list[Source], Descriptor]:
    """What `docker save` wrote (`manifest.json`): the layers are plain tars, to be compressed."""
    saved = json.loads(_read(tar, "manifest.json"))[0]
    config = _read(tar, saved["Config"])
    diff_ids = array(
        object_of(parse(config, "config").get("rootfs"), "rootfs").get("diff_ids"), "diff_ids"
    )
    layers = []
    for number, (name, diff_id) in enumerate(zip(saved["Layers"], diff_ids, strict=True)):
        path = scratch / f"layer-{number}"
        with path.open("xb") as to:
            plain, packed, size = write_gzip(_chunks(_open(tar, name)), to)
        if f"sha256:{plain}" != diff_id:
            raise DockerError(f"docker save wrote a layer that is not {string(diff_id, 'diff ID')}")
        described = Descriptor(MediaType.LAYER_GZIP, f"sha256:{packed}", size)
        layers.append(Source(described, partial(_reopen, path)))
    config_of = Descriptor.of(MediaType.CONFIG, config)
    document = manifest(config_of, [layer.descriptor for layer in layers], {})
    entry = Descriptor.of(MediaType.MANIFEST, document)
    own = [
        Source(config_of, partial(io.BytesIO, config)),
        Source(entry, partial(io.BytesIO, document)),
    ]
    return [*layers, *own], entry


def _blobs(document: bytes, place: str) -> list[Descriptor]:
    """The configuration and the layers of a manifest."""
    found = parse(document, place)
    items: list[Json] = [found.get("config"), *array(found.get("layers"), place)]
    return [Descriptor.from_json(item, place) for item in items]


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _open(tar: tarfile.TarFile, name: str) -> BinaryIO:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return cast(BinaryIO, file)


def _reopen(path: Path) -> BinaryIO:
    return path.open("rb")


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    with _open(tar, name) as file:
        return file.read(MAX_DOCUMENT_BYTES)


def _chunks(file: BinaryIO) -> Iterable[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
