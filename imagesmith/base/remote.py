"""A base in a registry, without any Docker: `base: debian:12-slim`, `REF@sha256:…`.

Its layers stay there until somebody reads them; into a repository of the same registry they are
mounted and never come here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import BinaryIO

from imagesmith.base.base import Base
from imagesmith.base.manifest import (
    BASE_DIGEST,
    BASE_NAME,
    Shelf,
    choose_image,
    image_of,
)
from imagesmith.errors import BaseError, OutputError, RegistryError
from imagesmith.oci.blob import BlobStore
from imagesmith.oci.host import MAX_ANSWER_BYTES
from imagesmith.oci.reference import ImageName
from imagesmith.oci.registry import Registry
from imagesmith.oci.repository import Repository
from imagesmith.oci.spec import Descriptor, Platform

__all__ = ["fetched", "remote_base", "remote_shelf"]


def remote_base(reference: str, platform: Platform, registry: Registry, store: BlobStore) -> Base:
    """The base that a reference names, as its registry has it; what is read is kept in the store.

    Raises BaseError if there is none of this name and platform, RegistryError in the registry's
    words.
    """
    name = ImageName.parse(reference)
    shelf, entry = remote_shelf(name, f"base {name}", registry, store)
    chosen = choose_image(shelf, [entry], None, platform)
    return replace(
        image_of(shelf, chosen, platform),
        description=f"{name} ({chosen.digest})",
        annotations={BASE_DIGEST: chosen.digest, BASE_NAME: str(name)},
    )


def remote_shelf(
    name: ImageName, place: str, registry: Registry, store: BlobStore
) -> tuple[Shelf, Descriptor]:
    """Where the image of a name lies, called `place`, and the manifest or index that it names.

    Raises BaseError if there is none, RegistryError in the registry's words.
    """
    repository = registry.repository(name.repository)
    try:
        entry, document = repository.manifest(name.wanted)
    except RegistryError as error:
        if error.status not in {401, 403, 404}:
            raise
        raise BaseError(
            f"{place}: there is no such image, or it wants a login ({error.message})",
            hint=error.hint,
        ) from None

    def read(descriptor: Descriptor) -> bytes:
        if descriptor.digest == entry.digest:
            return document
        if descriptor.size > MAX_ANSWER_BYTES:
            raise BaseError(f"{place}: {descriptor.digest} is too large for a document")
        with fetched(repository, store, descriptor) as file:
            return file.read()

    shelf = Shelf(
        place, read, partial(fetched, repository, store), name.repository, (name.repository,)
    )
    return shelf, entry


def fetched(repository: Repository, store: BlobStore, descriptor: Descriptor) -> BinaryIO:
    """A blob or manifest from the store, fetched first if it is not there.

    Raises RegistryError, and OutputError if it cannot be kept.
    """
    kept = store.open(descriptor)
    if kept is None:
        store.add(descriptor, repository.read(descriptor))
        kept = store.open(descriptor)
    if kept is None:
        raise OutputError(f"{repository}: blob {descriptor.digest} was fetched, and is gone again")
    return kept
