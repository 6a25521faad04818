"""An image in a registry: what its documents say. None of its layers is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imagesmith.errors import BaseError, RegistryError
from imagesmith.oci.repository import Repository
from imagesmith.oci.spec import (
    Descriptor,
    Json,
    MediaType,
    Platform,
    array,
    contents,
    object_of,
    parse,
    string,
)

__all__ = ["RemoteImage", "remote_image", "remote_images"]

INDEXES = (MediaType.INDEX, MediaType.DOCKER_INDEX)
MANIFESTS = (MediaType.MANIFEST, MediaType.DOCKER_MANIFEST)
CONFIGS = (MediaType.CONFIG, MediaType.DOCKER_CONFIG)


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image for one platform; `layers` and `diff_ids` bottom to top, `config` as it stands."""

    repository: Repository
    descriptor: Descriptor
    platform: Platform
    annotations: Mapping[str, str]
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[str, ...]
    labels: Mapping[str, str]
    config: Mapping[str, Json]


def remote_image(repository: Repository, wanted: str, platform: Platform) -> RemoteImage | None:
    """The image of a tag or digest for a platform; None if there is none. Raises RegistryError."""
    fitting = (item for item in remote_images(repository, wanted) if item.platform == platform)
    return next(fitting, None)


def remote_images(repository: Repository, wanted: str) -> list[RemoteImage]:
    """The image of a tag or digest, or all of an index; none where nothing has this name.

    What else an index holds (attestations, other artifacts) is left out. Raises RegistryError.
    """
    found = repository.find(wanted)
    if found is None:
        return []
    descriptor, document = found
    place = f"{repository}: {wanted}"
    try:
        if descriptor.media_type in INDEXES:
            inner = array(parse(document, place).get("manifests"), f"{place}: manifests")
            entries = [Descriptor.from_json(item, place) for item in inner]
            return [
                image
                for entry in entries
                if entry.media_type in MANIFESTS
                for image in remote_images(repository, entry.digest)
            ]
        return _image(repository, descriptor, document, place)
    except BaseError as error:
        raise RegistryError(error.message) from None


def _image(
    repository: Repository, descriptor: Descriptor, document: bytes, place: str
) -> list[RemoteImage]:
    config_of, layers = contents(document, place)
    if config_of.media_type not in CONFIGS:
        return []
    config = parse(repository.document(config_of), f"{place}: {config_of.digest}")
    diff_ids = array(object_of(config.get("rootfs"), f"{place}: rootfs").get("diff_ids"), place)
    if len(diff_ids) != len(layers):
        raise BaseError(f"{place}: {len(layers)} layers, but {len(diff_ids)} diff IDs")
    settings = object_of(config.get("config") or {}, f"{place}: config")
    return [
        RemoteImage(
            repository,
            descriptor,
            Platform(str(config.get("architecture")), str(config.get("os"))),
            _texts(parse(document, place).get("annotations"), place),
            tuple(layers),
            tuple(string(item, f"{place}: diff_ids") for item in diff_ids),
            _texts(settings.get("Labels"), place),
            config,
        )
    ]


def _texts(value: Json, place: str) -> dict[str, str]:
    return {name: str(text) for name, text in object_of(value or {}, place).items()}
