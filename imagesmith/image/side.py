"""One of two things to compare: its layers with their files, whatever it was read from."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

from imagesmith.base.changeset import Change, DamagedTarError, read_changes
from imagesmith.base.imageroot import CHUNK_BYTES, unpack
from imagesmith.errors import BaseError
from imagesmith.image.history import layer_names
from imagesmith.image.stored import StoredImage
from imagesmith.layer.build import build_layer
from imagesmith.layer.label import LAYERS_LABEL, read_label
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.split import Group, LayerPlan
from imagesmith.layer.store import Store
from imagesmith.layer.tar import members_in_order
from imagesmith.oci.spec import Json, array, object_of, parse, string

__all__ = ["Side", "SideLayer", "image_side", "release_side"]


@dataclass(frozen=True, slots=True)
class SideLayer:
    """A layer, and how to read its files: paths as in the image, without a slash before them.

    `read` reads once, and remembers.
    """

    layer: Layer
    read: Callable[[], Sequence[Member]]

    @property
    def is_base(self) -> bool:
        """Whether it is none of the release's own."""
        return self.layer.group is Group.BASE


@dataclass(frozen=True, slots=True)
class Side:
    """A release as it would be built, or an image; layers bottom to top.

    `settings` are what an image's configuration says besides its layers, by the names that the OCI
    specification gives them (`env.NAME`, `label.NAME`, `user`, …). A release has neither settings
    nor a base: those are its recipe's and the building machine's.
    """

    name: str
    layers: tuple[SideLayer, ...]
    is_image: bool
    settings: Mapping[str, str] = field(default_factory=dict)


def release_side(name: str, plans: Iterable[LayerPlan], store: Store) -> Side:
    """A release, by the layers that `image.cattle.plan_cattle` plans; they are written to `store`.

    Raises as `build_layer`.
    """
    layers = [
        SideLayer(
            build_layer(plan, store), cache(partial(members_in_order, plan.members, plan.prefix))
        )
        for plan in plans
    ]
    return Side(name, tuple(layers), is_image=False)


def image_side(image: StoredImage) -> Side:
    """An image, imagesmith's or another: what is not imagesmith's is the base.

    Raises BaseError if its configuration is broken; a layer's `read` does for a damaged layer.
    """
    place = f"{image.name}: configuration"
    config = parse(image.config, place)
    rootfs = object_of(config.get("rootfs"), f"{place}: rootfs")
    diff_ids = [string(item, place) for item in array(rootfs.get("diff_ids"), place)]
    if len(diff_ids) != len(image.layers):
        raise BaseError(f"{image.name}: {len(image.layers)} layers, but {len(diff_ids)} diff IDs")
    settings = _settings(config, place)
    keys = read_label({LAYERS_LABEL: settings.pop(f"label.{LAYERS_LABEL}", "{}")}, diff_ids)
    names = layer_names(config, len(diff_ids), place)
    layers = [
        Layer(*named, diff_id, source.descriptor, source.open, keys.get(diff_id))
        for named, diff_id, source in zip(names, diff_ids, image.layers, strict=True)
    ]
    return Side(
        image.name,
        tuple(SideLayer(layer, cache(partial(_members, layer, image.name))) for layer in layers),
        is_image=True,
        settings=settings,
    )


def _settings(config: Mapping[str, Json], place: str) -> dict[str, str]:
    """Everything but layers, history and the time of building, flat."""
    settings = {key: str(config[key]) for key in ("architecture", "os") if key in config}
    for key, value in object_of(config.get("config") or {}, f"{place}: config").items():
        match key:
            case "Env":
                pairs = (str(item).partition("=") for item in array(value or [], place))
                settings |= {f"env.{name}": text for name, _, text in pairs}
            case "Labels":
                labels = object_of(value or {}, place)
                settings |= {f"label.{name}": str(text) for name, text in labels.items()}
            case "ExposedPorts":
                settings["ports"] = " ".join(sorted(object_of(value or {}, place)))
            case "Entrypoint" | "Cmd":
                settings[key.lower()] = " ".join(map(str, array(value or [], place)))
            case _:
                settings[key.lower()] = str(value)
    return settings


def _members(layer: Layer, name: str) -> list[Member]:
    """The files of a layer's blob, which is unpacked into a temporary file that has no name."""
    place = f"{name}: layer {layer.descriptor.digest}"
    spool = tempfile.TemporaryFile(prefix="imagesmith-")  # noqa: SIM115 - lives as the contents do
    unpack(layer, spool, place)
    found: dict[str, Member] = {}

    def content(change: Change) -> Content:
        def stream() -> Iterable[bytes]:
            start = change.offset or 0
            for at in range(start, start + change.size, CHUNK_BYTES):
                yield os.pread(spool.fileno(), min(CHUNK_BYTES, start + change.size - at), at)

        return Content.of(stream)

    try:
        for change in read_changes(spool.fileno(), 0, spool.tell()):
            path = "/".join(part for part in change.path.split("/") if part not in ("", "."))
            linked = found.get((change.hard or "").removeprefix("./").lstrip("/"))
            if isinstance(linked, FileMember):
                found[path] = replace(linked, path=path)
            elif stat.S_ISLNK(change.mode):
                found[path] = LinkMember(path, change.target)
            elif stat.S_ISDIR(change.mode):
                found[path] = FolderMember(path, stat.S_IMODE(change.mode))
            elif stat.S_ISREG(change.mode) and change.offset is not None:
                executable = bool(change.mode & stat.S_IXUSR)
                found[path] = FileMember(path, content(change), executable)
    except DamagedTarError as error:
        raise BaseError(f"{place}: {error}") from None
    return list(found.values())
