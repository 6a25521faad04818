"""Images into registries: what is there already is neither built nor sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace

from imagesmith.oci.blob import Source
from imagesmith.oci.reference import Reference
from imagesmith.oci.registry import Registry
from imagesmith.oci.repository import How, Repository

__all__ = ["PushedBlobs", "Wanted", "push_images"]

ASKING = 8
"""Questions at once; a registry's distance is most of what an unchanged push takes."""

SENDING = 4
"""Uploads at once; each holds some chunks of 4 MiB."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to push: its blobs (layers, configuration), its manifest, and its names."""

    blobs: Sequence[Source]
    manifest: bytes
    media_type: str
    tags: Sequence[Reference]


@dataclass(frozen=True, slots=True)
class PushedBlobs:
    """How many blobs were there, were mounted, were uploaded; and the bytes of the last."""

    present: int = 0
    mounted: int = 0
    uploaded: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        size = f" ({self.bytes / 1_000_000:.2f} MB)" if self.uploaded else ""
        return f"{self.present} there, {self.mounted} mounted, {self.uploaded} uploaded{size}"


def push_images(registry: Registry, images: Sequence[Wanted]) -> PushedBlobs:
    """Push the images: all blobs, then all manifests, then all tags.

    So nothing has a name before everything is there. Raises RegistryError, and what a source
    raises; then `registry` is stopped.
    """
    places = {
        tag.repository: registry.repository(tag.repository)
        for image in images
        for tag in image.tags
    }
    done, sent = Counter[How](), 0
    with _stopping(registry):
        for name, repository in places.items():
            # What an image had in one repository of a registry, the next one mounts from there.
            before = tuple(other for other in places if other != name)
            blobs = _blobs(image for image in images if _tags(image, name))
            for how, size in _brought(repository, blobs, before):
                done[how] += 1
                sent += size if how is How.UPLOADED else 0
        for name, repository in places.items():
            for image in images:
                if _tags(image, name):
                    repository.push_manifest(image.manifest, image.media_type)
        for name, repository in places.items():
            for image in images:
                for tag in _tags(image, name):
                    repository.tag(image.manifest, image.media_type, tag)
    return PushedBlobs(done[How.PRESENT], done[How.MOUNTED], done[How.UPLOADED], sent)


def _brought(
    repository: Repository, blobs: Sequence[Source], holders: tuple[str, ...]
) -> Iterator[tuple[How, int]]:
    with _pool(ASKING) as pool:
        there = list(pool.map(lambda blob: repository.has(blob.descriptor, pushing=True), blobs))
    missing = [
        replace(blob, holders=(*blob.holders, *holders))
        for blob, is_there in zip(blobs, there, strict=True)
        if not is_there
    ]
    yield from ((How.PRESENT, 0) for is_there in there if is_there)
    with _pool(SENDING) as pool:
        sending = {pool.submit(repository.send_blob, blob): blob for blob in missing}
        for future in as_completed(sending):
            yield future.result(), sending[future].descriptor.size


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing more once something has failed."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _stopping(registry: Registry) -> Iterator[None]:
    """Stop what other threads do as soon as one has failed, or the user has had enough."""
    try:
        yield
    except BaseException:
        registry.stop()
        raise


def _blobs(images: Iterable[Wanted]) -> list[Source]:
    """The blobs of all images, each once: releases of one umbrella share most layers.

    A blob that is in several is known to be where any of them says.
    """
    found: dict[str, Source] = {}
    for blob in (blob for image in images for blob in image.blobs):
        same = found.get(blob.descriptor.digest, blob)
        holders = dict.fromkeys((*same.holders, *blob.holders))
        found[blob.descriptor.digest] = replace(blob, holders=tuple(holders))
    return list(found.values())


def _tags(image: Wanted, repository: str) -> list[str]:
    return [tag.tag for tag in image.tags if tag.repository == repository]
