"""`--cache-from`: images in registries whose layers this build may take over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imagesmith.base.remote import fetched
from imagesmith.errors import OutputError, RegistryError
from imagesmith.layer.lent import Lent, lendable
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.reference import ImageName
from imagesmith.oci.remote import remote_images

if TYPE_CHECKING:
    from imagesmith.cli.progress import Progress
    from imagesmith.layer.cache import Cache
    from imagesmith.layer.entry import Entry
    from imagesmith.layer.store import Store
    from imagesmith.oci.registry import Registry

__all__ = ["lent"]


def lent(
    cache: Cache,
    references: Sequence[str],
    connect: Callable[[], Registry],
    scratch: Path,
    telling: Progress,
) -> Store:
    """The cache, and what the images lend; none of them has to be there. Raises UsageError."""
    names = {text: ImageName.parse(text) for text in references}

    def lend() -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for text, name in names.items():
            try:
                images = remote_images(connect().repository(name.repository), name.wanted)
            except RegistryError as error:
                telling.warn(f"--cache-from {text}: {error.message}")
                continue
            if not images:
                telling.note(f"--cache-from {text}: there is no such image yet")
            for image in images:
                found = lendable(image, text) | found
        return found

    def fetch(entry: Entry) -> BinaryIO:
        repository = connect().repository(entry.holders[0])
        try:
            return fetched(repository, cache.blobs, entry.descriptor)
        except OutputError:  # a cache that cannot be written
            return fetched(repository, BlobDir(scratch / "fetched"), entry.descriptor)

    return Lent(cache, lend, fetch)
