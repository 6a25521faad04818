"""`--append-to`: an earlier image with one more layer, of the files that have changed since.

The earlier image is one that imagesmith built in full, or such a one with layers appended already:
a stack. What its upper layers hold only hides what lies below, so a stack grows with every change,
and from some height on a build in full ships less to every new host (`Earlier.is_high`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imagesmith.base.base import Base
from imagesmith.image.filelist import FileList, gone, list_members
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, Member
from imagesmith.layer.split import Group, LayerPlan, Piece

__all__ = ["PLAIN", "WHITEOUT", "Earlier", "append_plan", "on_top", "stands_on"]

PLAIN = "io.imagesmith.append.plain"
"""Annotation: the digest of the image at the bottom of the stack, beside which its list lies."""

WHITEOUT = ".wh."
MOST_APPENDED = 20
MOST_SHARE = 0.5
MOST_LAYERS = (
    120  # overlayfs of Docker's classic store takes 128 (moby: daemon/graphdriver/overlay2)
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier image.

    `layers` are all of it, bottom to top, the upper `appended` of them not of the image built in
    full, whose manifest digest is `plain`. `files` is what its release consists of.
    """

    reference: str
    plain: str
    layers: tuple[Layer, ...]
    appended: int
    files: FileList

    @property
    def is_high(self) -> bool:
        """Whether the stack has grown so far that it is time for a build in full."""
        upper = self.layers[len(self.layers) - self.appended :]
        size = sum(layer.descriptor.size for layer in upper)
        whole = sum(layer.descriptor.size for layer in self.layers) - size
        return self.appended >= MOST_APPENDED or size > MOST_SHARE * whole

    @property
    def is_full(self) -> bool:
        """Whether no engine would run it with one more layer."""
        return len(self.layers) >= MOST_LAYERS


def stands_on(earlier: Earlier, base: Base) -> bool:
    """Whether the earlier image has this base: the same files, however they are compressed."""
    wanted = [layer.diff_id for layer in base.layers]
    return [layer.diff_id for layer in earlier.layers[: len(wanted)]] == wanted


def append_plan(earlier: FileList, members: Sequence[Member], prefix: str) -> LayerPlan | None:
    """The layer that turns the earlier release's files into `members`; None if they are the same.

    What is gone is hidden by whiteouts (OCI "Image Layer Filesystem Changeset", "Whiteouts").
    """
    new = list_members(members)
    changed = [member for member in members if earlier.get(member.path) != new[member.path]]
    hidden = [_whiteout(path) for path in gone(earlier, new)]
    if not changed and not hidden:
        return None
    piece = Piece.of(Group.APPENDED, "changes", [*changed, *hidden])
    return LayerPlan(Group.APPENDED, "changes", prefix, (piece,))


def on_top(base: Base, earlier: Earlier) -> tuple[Base, tuple[Layer, ...]]:
    """The base and the release's layers as the earlier image has them, byte for byte."""
    count = len(base.layers)
    return replace(base, layers=earlier.layers[:count]), earlier.layers[count:]


def _whiteout(path: str) -> Member:
    folder, slash, name = path.rpartition("/")
    return FileMember(f"{folder}{slash}{WHITEOUT}{name}", Content.of_bytes(b""))
