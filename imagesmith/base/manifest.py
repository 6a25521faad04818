"""An image as a base: which one of an index it is, and what its manifest and configuration say.

Where the documents and layers lie, in a layout or in a registry, is all the same here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

from imagesmith.base.base import Base
from imagesmith.errors import BaseError
from imagesmith.layer.label import read_label
from imagesmith.layer.layer import Layer
from imagesmith.layer.split import Group
from imagesmith.oci.spec import (
    Descriptor,
    Json,
    MediaType,
    Platform,
    array,
    object_of,
    parse,
    string,
)

__all__ = [
    "BASE_DIGEST",
    "BASE_NAME",
    "FOUND",
    "OTHER_BASE",
    "Shelf",
    "as_oci",
    "choose_image",
    "image_of",
    "offered",
]

INDEXES = (MediaType.INDEX, MediaType.DOCKER_INDEX)
MANIFESTS = (MediaType.MANIFEST, MediaType.DOCKER_MANIFEST)
CONFIGS = (MediaType.CONFIG, MediaType.DOCKER_CONFIG)
LAYERS = (MediaType.LAYER_GZIP, MediaType.LAYER_TAR, MediaType.LAYER_ZSTD)
OTHER_BASE = "Use a base of the release's architecture."
FOUND = "base"
"""The `found` of layers that came with a base."""

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where images lie: `place` names it to the user, who writes it in a recipe as `written`.

    `document` reads a small blob and checks it, `open` reads a layer; both raise BaseError or
    RegistryError. `holders` are repositories that have the layers.
    """

    place: str
    document: Callable[[Descriptor], bytes]
    open: Callable[[Descriptor], BinaryIO]
    written: str
    holders: tuple[str, ...] = ()


def choose_image(
    shelf: Shelf, entries: Iterable[Descriptor], digest: str | None, platform: Platform
) -> Descriptor:
    """The one image manifest that is meant, of those that the entries lead to.

    Raises BaseError if there is none or more than one. An image with two tags is offered twice.
    """
    every = {item.digest: item for item in offered(shelf, entries, digest)}
    fitting = [item for item in every.values() if item.platform in (None, platform)]
    if len(fitting) == 1:
        return fitting[0]
    held = ", ".join(f"{item.digest} ({item.platform or 'any'})" for item in every.values())
    if fitting:
        raise BaseError(
            f"{shelf.place}: {len(fitting)} images fit {platform}; it holds: {held}",
            hint=f"Name one by its digest: `base: {shelf.written}@sha256:…`.",
        )
    if every:
        raise BaseError(
            f"{shelf.place}: no image here is for {platform}, as the release is; it holds: {held}",
            hint=OTHER_BASE,
        )
    raise BaseError(f"{shelf.place}: there is no image {digest or ''}".rstrip())


def image_of(shelf: Shelf, chosen: Descriptor, platform: Platform) -> Base:
    """The image of a manifest, without annotations and described by its place alone.

    Raises BaseError if it is broken, no image, or for another platform.
    """
    if chosen.media_type not in MANIFESTS:
        raise BaseError(f"{shelf.place}: {chosen.digest} is no image, but {chosen.media_type}")
    place = f"{shelf.place}: {chosen.digest}"
    document = parse(shelf.document(chosen), place)
    config_of = Descriptor.from_json(document.get("config"), f"{place}: config")
    if config_of.media_type not in CONFIGS:
        raise BaseError(f"{place} is no image, but an artifact: {config_of.media_type}")
    config_place = f"{shelf.place}: {config_of.digest}"
    config = parse(shelf.document(config_of), config_place)
    found = Platform(str(config.get("architecture")), str(config.get("os")))
    if found != platform:
        raise BaseError(
            f"{shelf.place}: this base is for {found}, but the release is for {platform}",
            hint=OTHER_BASE,
        )
    rootfs = object_of(config.get("rootfs"), f"{config_place}: rootfs")
    diff_ids = [
        string(item, "rootfs.diff_ids") for item in array(rootfs.get("diff_ids"), "diff_ids")
    ]
    blobs = [
        Descriptor.from_json(item, f"{place}: layers[{number}]")
        for number, item in enumerate(array(document.get("layers"), f"{place}: layers"))
    ]
    if len(blobs) != len(diff_ids):
        raise BaseError(f"{place}: {len(blobs)} layers, but {len(diff_ids)} diff IDs")
    settings = object_of(config.get("config") or {}, f"{config_place}: config")
    labels = _labels(settings.get("Labels"))
    return Base(
        _layers(shelf, place, diff_ids, blobs, read_label(labels, diff_ids)),
        platform,
        shelf.place,
        _env(settings.get("Env")),
        labels,
    )


def _layers(
    shelf: Shelf,
    place: str,
    diff_ids: Sequence[str],
    blobs: Sequence[Descriptor],
    keys: Mapping[str, str],
) -> tuple[Layer, ...]:
    """A base that imagesmith made tells its layers' keys, and they are lent on with them."""
    return tuple(
        Layer(
            Group.BASE,
            f"base {number}",
            diff_id,
            as_oci(blob, place),
            partial(shelf.open, blob),
            keys.get(diff_id),
            holders=shelf.holders,
            found=FOUND,
        )
        for number, (diff_id, blob) in enumerate(zip(diff_ids, blobs, strict=True), 1)
    )


def offered(
    shelf: Shelf, entries: Iterable[Descriptor], digest: str | None
) -> Iterator[Descriptor]:
    """The images of an index and of the indexes in it; with a digest, those that it names.

    An index has a tag or a digest of its own, so what it holds is told apart by platform alone.
    """
    for entry in entries:
        named = digest in (None, entry.digest)
        if entry.media_type in INDEXES:
            place = f"{shelf.place}: {entry.digest}: manifests"
            inner = array(parse(shelf.document(entry), place).get("manifests"), place)
            # The name stands at the outermost; it is that of every image in it.
            held = [
                replace(item, annotations={**entry.annotations, **item.annotations})
                for item in (Descriptor.from_json(one, place) for one in inner)
            ]
            yield from offered(shelf, held, None if named else digest)
        elif named:
            yield entry


def as_oci(blob: Descriptor, place: str) -> Descriptor:
    """Docker's gzip layers are OCI's under another name.

    Raises BaseError for layers that may not be passed on, are encrypted, or no file system.
    """
    if blob.media_type == MediaType.DOCKER_LAYER:
        return Descriptor(MediaType.LAYER_GZIP, blob.digest, blob.size)
    if blob.media_type not in LAYERS:
        raise BaseError(
            f"{place}: the layer {blob.digest} is of the type {blob.media_type}, "
            "which an image cannot be built on"
        )
    return Descriptor(blob.media_type, blob.digest, blob.size)


def _env(value: Json) -> dict[str, str]:
    pairs = (str(item).partition("=") for item in array(value or [], "config.Env"))
    return {name: text for name, _, text in pairs}


def _labels(value: Json) -> dict[str, str]:
    return {name: str(text) for name, text in object_of(value or {}, "config.Labels").items()}
