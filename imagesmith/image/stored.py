"""An image that lies somewhere already, to be looked at: in a layout, an archive or a registry."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from imagesmith.base.manifest import Shelf, as_oci, offered
from imagesmith.base.remote import remote_shelf
from imagesmith.errors import BaseError, UsageError
from imagesmith.oci.blob import BlobStore, Source
from imagesmith.oci.layout import Layout
from imagesmith.oci.reference import ImageName
from imagesmith.oci.registry import Registry
from imagesmith.oci.spec import Descriptor, Platform, contents

__all__ = ["StoredImage", "archive_image", "layout_image", "registry_image"]

BLOB = re.compile(r"(\./)?(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A configuration, and the layers' blobs bottom to top; `name` is what the user calls it."""

    name: str
    config: bytes
    layers: tuple[Source, ...]


def layout_image(
    path: Path, digest: str | None = None, platform: Platform | None = None, *, name: str = ""
) -> StoredImage:
    """The one image of a layout; a digest or a platform tells which, where it holds many.

    Raises UsageError unless exactly one is meant, BaseError if the layout is broken.
    """
    name = name or str(path)
    layout = Layout(path)
    shelf = Shelf(name, layout.document, layout.open, "oci:DIR")
    return _one_image(shelf, layout.manifests, digest, platform)


def registry_image(
    reference: str, registry: Registry, store: BlobStore, platform: Platform | None = None
) -> StoredImage:
    """The one image of a reference; what is read of it is kept in the store.

    Raises as `layout_image`, and RegistryError in the registry's words.
    """
    name = ImageName.parse(reference)
    shelf, entry = remote_shelf(name, str(name), registry, store)
    return _one_image(shelf, [entry], None, platform)


def _one_image(
    shelf: Shelf, entries: Iterable[Descriptor], digest: str | None, platform: Platform | None
) -> StoredImage:
    every = {item.digest: item for item in offered(shelf, entries, digest)}
    # BuildKit's attestations are manifests for unknown/unknown (buildx: attestation storage).
    unknown = Platform("unknown", "unknown")
    held = [item for item in every.values() if item.platform != unknown]
    fitting = [item for item in held if platform is None or item.platform in (None, platform)]
    if len(fitting) != 1:
        shown = ", ".join(f"{item.digest} ({item.platform or 'any platform'})" for item in held)
        problem = f"{len(fitting)} images could be meant" if fitting else "there is no such image"
        raise UsageError(
            f"{shelf.place}: {problem}; it holds: {shown or 'none'}",
            hint=f"Name one by its digest, `{shelf.written}@sha256:…`, or by --platform.",
        )
    place = f"{shelf.place}: {fitting[0].digest}"
    config, layers = contents(shelf.document(fitting[0]), place)
    return StoredImage(
        shelf.place,
        shelf.document(config),
        tuple(
            Source(as_oci(blob, place), partial(shelf.open, blob), shelf.holders) for blob in layers
        ),
    )


def archive_image(path: Path, scratch: Path, platform: Platform | None = None) -> StoredImage:
    """The one image of an OCI archive, whose blobs are copied into the folder `scratch`.

    Raises as `layout_image`.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                found = BLOB.fullmatch(member.name)
                data = archive.extractfile(member) if found and member.isreg() else None
                if found and data:
                    to = scratch / found[2]
                    to.parent.mkdir(parents=True, exist_ok=True)
                    with to.open("wb") as file:
                        shutil.copyfileobj(data, file, 1 << 20)
    except tarfile.TarError as error:
        raise BaseError(f"{path}: this is no tar, or it is broken: {error}") from None
    except OSError as error:
        raise BaseError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not (scratch / "index.json").exists():
        raise BaseError(
            f"{path}: this is no OCI archive: it has no index.json",
            hint="Write one with `imagesmith build -o type=oci,dest=FILE.tar`, or with "
            "`skopeo copy … oci-archive:FILE.tar`.",
        )
    return layout_image(scratch, None, platform, name=str(path))
