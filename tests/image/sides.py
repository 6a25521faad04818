"""Sides to compare, made of nothing but files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial

from imagesmith.image.causes import Explained, explain
from imagesmith.image.difference import Change, FileDifference, compare
from imagesmith.image.rules import Reason
from imagesmith.image.side import Side, SideLayer
from imagesmith.layer.gzip import write_gzip
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, LinkMember, Member
from imagesmith.layer.split import Group
from imagesmith.layer.tar import members_in_order, tar
from imagesmith.oci.spec import Descriptor, MediaType

__all__ = ["explained", "file", "layer", "link", "release_layer", "side", "told"]


def file(path: str, data: bytes = b"", *, executable: bool = False) -> Member:
    return FileMember(f"app/{path}", Content.of_bytes(data), executable)


def link(path: str, target: str) -> Member:
    return LinkMember(f"app/{path}", target)


def layer(name: str, *members: Member, group: Group = Group.OWN) -> SideLayer:
    packed = io.BytesIO()
    diff_id, digest, size = write_gzip(tar(members), packed)
    blob = Descriptor(MediaType.LAYER_GZIP, f"sha256:{digest}", size)
    made = Layer(group, name, f"sha256:{diff_id}", blob, partial(io.BytesIO, packed.getvalue()))
    return SideLayer(made, partial(members_in_order, members))


def release_layer(
    *members: Member, version: str = "1", erts: str = "13", **applications: str
) -> SideLayer:
    """The release's own layer, with the links and versions that it holds."""
    links = [link(f"lib/{name}-{vsn}", name) for name, vsn in applications.items()]
    start = file("releases/start_erl.data", f"{erts} {version}".encode())
    return layer("release", start, *links, *members, group=Group.RELEASE)


def side(*layers: SideLayer, is_image: bool = False, **settings: str) -> Side:
    return Side("a side", layers, is_image, settings)


def explained(before: Sequence[SideLayer], after: Sequence[SideLayer]) -> list[Explained]:
    return explain(compare(side(*before), side(*after)))


def told(
    before: Sequence[SideLayer], after: Sequence[SideLayer]
) -> dict[str, tuple[FileDifference, list[Reason]]]:
    """Each file that differs by more than a version in its path, by its path below `app`."""
    return {
        difference.path.removeprefix("app/"): (difference, list(reasons))
        for found in explained(before, after)
        for difference, reasons in found.files
        if difference.change is not Change.RENAMED
    }
