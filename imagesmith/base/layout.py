"""A base that lies in an OCI layout on this machine: `base: oci:DIR[@DIGEST]`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.errors import BaseError
from imagesmith.layer.layer import Layer
from imagesmith.layer.split import Group
from imagesmith.oci.layout import Layout
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

__all__ = ["layout_base"]

INDEXES = (MediaType.INDEX, MediaType.DOCKER_INDEX)
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


def layout_base(path: Path, digest: str | None, platform: Platform) -> Base:
    """The image in a layout. Raises BaseError if it is broken or for another platform."""
    layout = Layout(path)
    chosen = _choose(layout, layout.manifests, digest, platform)
    place = f"{path}: {chosen.digest}"
    document = parse(layout.document(chosen), place)
    config_of = Descriptor.from_json(document.get("config"), f"{place}: config")
    config = parse(layout.document(config_of), f"{path}: {config_of.digest}")
    found = Platform(str(config.get("architecture")), str(config.get("os")))
    if found != platform:
        raise BaseError(
            f"{path}: this base is for {found}, but the release is for {platform}",
            hint="Use a base of the release's architecture.",
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
    return Base(
        tuple(
            Layer(Group.BASE, f"base {number}", diff_id, _as_oci(blob), partial(layout.open, blob))
            for number, (diff_id, blob) in enumerate(zip(diff_ids, blobs, strict=True), 1)
        ),
        platform,
        f"{chosen.digest} from {path}",
        _env(settings.get("Env")),
        _labels(settings.get("Labels")),
        {BASE_DIGEST: chosen.digest, BASE_NAME: path.name},
    )


def _choose(
    layout: Layout, offered: list[Descriptor], digest: str | None, platform: Platform
) -> Descriptor:
    """The one image manifest that is meant, through indexes where there are some."""
    if digest:
        offered = [item for item in offered if item.digest == digest]
    fitting = [item for item in offered if item.platform in (None, platform)]
    if len(fitting) != 1:
        held = ", ".join(f"{item.digest} ({item.platform or 'any'})" for item in offered) or "none"
        raise BaseError(
            f"{layout.root}: {len(fitting)} images fit {digest or platform}; it holds: {held}",
            hint="Name one by its digest: `base: oci:DIR@sha256:…`.",
        )
    chosen = fitting[0]
    if chosen.media_type not in INDEXES:
        return chosen
    place = f"{layout.root}: {chosen.digest}: manifests"
    inner = array(parse(layout.document(chosen), place).get("manifests"), place)
    return _choose(layout, [Descriptor.from_json(i, place) for i in inner], None, platform)


def _as_oci(blob: Descriptor) -> Descriptor:
    """Docker's gzip layers are OCI's under another name."""
    media_type = MediaType.LAYER_GZIP if blob.media_type == MediaType.DOCKER_LAYER else None
    return Descriptor(media_type or blob.media_type, blob.digest, blob.size)


def _env(value: Json) -> dict[str, str]:
    pairs = (str(item).partition("=") for item in array(value or [], "config.Env"))
    return {name: text for name, _, text in pairs}


def _labels(value: Json) -> dict[str, str]:
    return {name: str(text) for name, text in object_of(value or {}, "config.Labels").items()}
