"""A base that lies in an OCI layout on this machine: `base: oci:DIR[@DIGEST]`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.errors import BaseError
from imagesmith.layer.layer import Layer
from imagesmith.layer.split import Group
from imagesmith.oci.layout import CONTAINERD_NAME, Layout
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

__all__ = ["as_oci", "layout_base", "offered"]

INDEXES = (MediaType.INDEX, MediaType.DOCKER_INDEX)
MANIFESTS = (MediaType.MANIFEST, MediaType.DOCKER_MANIFEST)
CONFIGS = (MediaType.CONFIG, MediaType.DOCKER_CONFIG)
LAYERS = (MediaType.LAYER_GZIP, MediaType.LAYER_TAR, MediaType.LAYER_ZSTD)
OTHER_BASE = "Use a base of the release's architecture."
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


def layout_base(path: Path, digest: str | None, platform: Platform) -> Base:
    """The image in a layout. Raises BaseError if it is broken or for another platform.

    It is named as the layout names it by a full reference, if it does. A folder's name is none
    (OCI "Annotations", `image.base.name`).
    """
    layout = Layout(path)
    chosen = _choose(layout, list(offered(layout, layout.manifests, digest)), digest, platform)
    if chosen.media_type not in MANIFESTS:
        raise BaseError(f"{path}: {chosen.digest} is no image, but {chosen.media_type}")
    place = f"{path}: {chosen.digest}"
    document = parse(layout.document(chosen), place)
    config_of = Descriptor.from_json(document.get("config"), f"{place}: config")
    if config_of.media_type not in CONFIGS:
        raise BaseError(f"{place} is no image, but an artifact: {config_of.media_type}")
    config = parse(layout.document(config_of), f"{path}: {config_of.digest}")
    found = Platform(str(config.get("architecture")), str(config.get("os")))
    if found != platform:
        raise BaseError(
            f"{path}: this base is for {found}, but the release is for {platform}",
            hint=OTHER_BASE,
        )
    rootfs = object_of(config.get("rootfs"), f"{path}: {config_of.digest}: rootfs")
    diff_ids = [
        string(item, "rootfs.diff_ids") for item in array(rootfs.get("diff_ids"), "diff_ids")
    ]
    blobs = [
        Descriptor.from_json(item, f"{place}: layers[{number}]")
        for number, item in enumerate(array(document.get("layers"), f"{place}: layers"))
    ]
    if len(blobs) != len(diff_ids):
        raise BaseError(f"{place}: {len(blobs)} layers, but {len(diff_ids)} diff IDs")
    settings = object_of(config.get("config") or {}, f"{path}: {config_of.digest}: config")
    name = chosen.annotations.get(CONTAINERD_NAME)
    return Base(
        tuple(
            Layer(
                Group.BASE,
                f"base {number}",
                diff_id,
                as_oci(blob, place),
                partial(layout.open, blob),
            )
            for number, (diff_id, blob) in enumerate(zip(diff_ids, blobs, strict=True), 1)
        ),
        platform,
        f"{chosen.digest} from {path}",
        _env(settings.get("Env")),
        _labels(settings.get("Labels")),
        {BASE_DIGEST: chosen.digest} | ({BASE_NAME: name} if name else {}),
    )


def offered(
    layout: Layout, entries: Iterable[Descriptor], digest: str | None
) -> Iterator[Descriptor]:
    """The images of an index and of the indexes in it; with a digest, those that it names.

    An index has a tag or a digest of its own, so what it holds is told apart by platform alone.
    """
    for entry in entries:
        named = digest in (None, entry.digest)
        if entry.media_type in INDEXES:
            place = f"{layout.root}: {entry.digest}: manifests"
            inner = array(parse(layout.document(entry), place).get("manifests"), place)
            # The name stands at the outermost; it is that of every image in it.
            held = [
                replace(item, annotations={**entry.annotations, **item.annotations})
                for item in (Descriptor.from_json(one, place) for one in inner)
            ]
            yield from offered(layout, held, None if named else digest)
        elif named:
            yield entry


def _choose(
    layout: Layout, offered: list[Descriptor], digest: str | None, platform: Platform
) -> Descriptor:
    """The one image manifest that is meant. An image with two tags is offered twice."""
    every = {item.digest: item for item in offered}
    fitting = [item for item in every.values() if item.platform in (None, platform)]
    if len(fitting) == 1:
        return fitting[0]
    held = ", ".join(f"{item.digest} ({item.platform or 'any'})" for item in every.values())
    if fitting:
        raise BaseError(
            f"{layout.root}: {len(fitting)} images fit {platform}; it holds: {held}",
            hint="Name one by its digest: `base: oci:DIR@sha256:…`.",
        )
    if every:
        raise BaseError(
            f"{layout.root}: no image here is for {platform}, as the release is; it holds: {held}",
            hint=OTHER_BASE,
        )
    raise BaseError(f"{layout.root}: there is no image {digest or ''}".rstrip())


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
