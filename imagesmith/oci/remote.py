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

__all__ = ["RemoteImage", "remote_image"]

INDEXES = (MediaType.INDEX, MediaType.DOCKER_INDEX)


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image for one platform; `layers` and `diff_ids` bottom to top."""

    repository: Repository
    descriptor: Descriptor
    annotations: Mapping[str, str]
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[str, ...]
    labels: Mapping[str, str]


def remote_image(repository: Repository, wanted: str, platform: Platform) -> RemoteImage | None:
    """The image of a tag or digest; of an index, the one for the platform; None if there is none.

    Raises RegistryError.
    """
    found = repository.find(wanted)
    if found is None:
        return None
    descriptor, document = found
    place = f"{repository}: {wanted}"
    try:
        if descriptor.media_type in INDEXES:
            inner = array(parse(document, place).get("manifests"), f"{place}: manifests")
            entries = [Descriptor.from_json(item, place) for item in inner]
            fitting = [entry for entry in entries if entry.platform == platform]
            return remote_image(repository, fitting[0].digest, platform) if fitting else None
        return _image(repository, descriptor, document, place, platform)
    except BaseError as error:
        raise RegistryError(error.message) from None


def _image(
    repository: Repository, descriptor: Descriptor, document: bytes, place: str, platform: Platform
) -> RemoteImage | None:
    config_of, layers = contents(document, place)
    config = parse(repository.document(config_of), f"{place}: {config_of.digest}")
    if Platform(str(config.get("architecture")), str(config.get("os"))) != platform:
        return None
    diff_ids = array(object_of(config.get("rootfs"), f"{place}: rootfs").get("diff_ids"), place)
    if len(diff_ids) != len(layers):
        raise BaseError(f"{place}: {len(layers)} layers, but {len(diff_ids)} diff IDs")
    settings = object_of(config.get("config") or {}, f"{place}: config")
    return RemoteImage(
        repository,
        descriptor,
        _texts(parse(document, place).get("annotations"), place),
        tuple(layers),
        tuple(string(item, f"{place}: diff_ids") for item in diff_ids),
        _texts(settings.get("Labels"), place),
    )


def _texts(value: Json, place: str) -> dict[str, str]:
    return {name: str(text) for name, text in object_of(value or {}, place).items()}
