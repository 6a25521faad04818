"""The embedded engine: pure Python, no daemon, no root."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Protocol

from imagesmith.engine.engine import (
    ArchiveOutput,
    Delivered,
    Delivery,
    LayoutOutput,
    LoadOutput,
    Output,
    RegistryOutput,
)
from imagesmith.oci.archive import DockerImage, write_archive, write_archive_file
from imagesmith.oci.layout import CONTAINERD_NAME, REF_NAME, Source, write_layout
from imagesmith.oci.reference import Reference
from imagesmith.oci.spec import Descriptor

if TYPE_CHECKING:
    from imagesmith.oci.push import Wanted
    from imagesmith.oci.registry import Registry

__all__ = ["EmbeddedEngine"]


class Loader(Protocol):
    """What takes an archive: `docker.client.Docker`."""

    def load(self, write: Callable[[IO[bytes]], None]) -> None:
        """Take the archive that `write` writes."""

    def reference(self, tag: str, digest: str, image_id: str) -> str:
        """What names a loaded image."""


def user_registry() -> Registry:
    """The registries as the user is known there."""
    from imagesmith.oci.credentials import UserCredentials
    from imagesmith.oci.registry import Registry

    return Registry(UserCredentials())


class EmbeddedEngine:
    """Writes an OCI layout or archive itself, and pushes; a Docker is handed an archive."""

    name = "embedded"

    def __init__(self, docker: Loader, registry: Callable[[], Registry] = user_registry) -> None:
        self._docker = docker
        self._registry = registry

    def deliver(self, deliveries: Sequence[Delivery], output: Output) -> list[Delivered]:
        """See Engine."""
        blobs = _blobs(deliveries)
        manifests = [item for delivery in deliveries for item in _manifests(delivery)]
        images = [_docker_image(delivery) for delivery in deliveries]
        match output:
            case LayoutOutput(path):
                write_layout(path, blobs, manifests)
                return [_delivered(item, f"{path}@{item.image.digest}") for item in deliveries]
            case ArchiveOutput(path, docker):
                write_archive_file(path, blobs, manifests, images if docker else ())
                return [_delivered(item, f"{path}@{item.image.digest}") for item in deliveries]
            case LoadOutput():
                self._docker.load(lambda to: write_archive(to, blobs, manifests, images))
                return [self._loaded(item) for item in deliveries]
            case RegistryOutput():
                return self._pushed(deliveries)

    def _pushed(self, deliveries: Sequence[Delivery]) -> list[Delivered]:
        from imagesmith.oci.push import push_images

        pushed = push_images(self._registry(), [_wanted(item) for item in deliveries])
        return [
            replace(_delivered(item, f"{item.tags[0]}@{item.image.digest}"), pushed=pushed)
            for item in deliveries
        ]

    def _loaded(self, item: Delivery) -> Delivered:
        config = item.image.config_descriptor.digest
        return _delivered(item, self._docker.reference(item.tags[0], item.image.digest, config))


def _delivered(item: Delivery, reference: str) -> Delivered:
    image = item.image
    return Delivered(reference, image.descriptor, image.config_descriptor.digest)


def _wanted(item: Delivery) -> Wanted:
    from imagesmith.oci.push import Wanted

    image = item.image
    blobs = [blob for blob in image.blobs() if blob.descriptor.digest != image.digest]
    tags = [Reference.parse(tag) for tag in item.tags]
    return Wanted(blobs, image.manifest, image.descriptor.media_type, tags)


def _blobs(deliveries: Sequence[Delivery]) -> list[Source]:
    """The blobs of all images, each once: releases of one umbrella share most layers."""
    found = {blob.descriptor.digest: blob for item in deliveries for blob in item.image.blobs()}
    return list(found.values())


def _manifests(delivery: Delivery) -> list[Descriptor]:
    """An entry of the index for each tag."""
    return [
        replace(
            delivery.image.descriptor,
            annotations={REF_NAME: reference.tag, CONTAINERD_NAME: reference.full},
        )
        for reference in map(Reference.parse, delivery.tags)
    ]


def _docker_image(delivery: Delivery) -> DockerImage:
    image = delivery.image
    layers = [layer.descriptor.digest for layer in image.layers]
    return DockerImage(image.config_descriptor.digest, layers, delivery.tags)
