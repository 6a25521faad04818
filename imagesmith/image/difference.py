"""Two sides, layer by layer and file by file: what differs, without a word on why."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from imagesmith.beam.difference import ChunkDifference, compare_modules
from imagesmith.errors import UsageError
from imagesmith.image.cattle import ROOT
from imagesmith.image.facts import Facts, facts_of
from imagesmith.image.side import Side, SideLayer
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import FileMember, FolderMember, LinkMember, Member, parents
from imagesmith.layer.split import Group

__all__ = ["Change", "Difference", "FileDifference", "LayerDifference", "compare"]


class Change(StrEnum):
    """What has become of a file."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"  # the same, but for the version in its path
    MOVED = "moved"  # the same, in another layer


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file that differs; `path` is B's, or A's where B has none.

    `layer_before` is the layer (group and name) in which A has it. `chunks` are those of a module
    that differ; None for what is no module, or not as OTP writes one.
    """

    path: str
    change: Change
    before: Member | None
    after: Member | None
    layer_before: tuple[Group, str] | None
    chunks: tuple[ChunkDifference, ...] | None = None

    @property
    def application(self) -> str:
        """The application that it belongs to, `consolidated protocols`, or nothing."""
        if found := re.match(rf"{ROOT}/lib/([^/]+)/|(?:.*/)?lib/([^/]+)/(?:ebin|priv)/", self.path):
            return found[1] or found[2]
        for member in (self.after, self.before):
            if isinstance(member, LinkMember) and self.path.startswith(f"{ROOT}/lib/"):
                return member.target
        return "consolidated protocols" if f"/{ROOT}/consolidated/" in f"/{self.path}" else ""

    @property
    def module(self) -> str | None:
        """The module's name as its language writes it; None for what is no module."""
        name = self.path.rpartition("/")[2]
        return name[: -len(".beam")].removeprefix("Elixir.") if name.endswith(".beam") else None

    @property
    def within(self) -> str:
        """The path below the application's folder, or below the release's."""
        start = f"{ROOT}/lib/{self.application}/"
        return self.path.removeprefix(start if self.path.startswith(start) else f"{ROOT}/")


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """A layer that B has and A lacks, with the one of A that it stands for, if there is one; or
    one that only A has.

    `same_content` says that both have one diff ID, and differ in how that is compressed.
    """

    group: Group
    name: str
    before: Layer | None
    after: Layer | None
    files: tuple[FileDifference, ...]
    same_content: bool = False

    @property
    def ships(self) -> int:
        """The compressed bytes that a push of B sends for it."""
        return self.after.descriptor.size if self.after else 0


@dataclass(frozen=True, slots=True)
class Difference:
    """All of it; the layer that ships most comes first.

    `same` counts the layers that both have. `settings` are the names of an image's settings that
    differ. `base_compared` is false where a side is a release, which has no base yet.
    """

    layers: tuple[LayerDifference, ...]
    same: int
    settings: tuple[str, ...]
    base_compared: bool
    before: Facts
    after: Facts

    @property
    def ships(self) -> int:
        """The compressed bytes of layers that a push of B sends to a registry that has A."""
        return sum(layer.ships for layer in self.layers)


def compare(before: Side, after: Side) -> Difference:
    """What of `after` (B) is not in `before` (A), and what of A is not in B.

    Layers that both have are not read. Raises UsageError where an image holds no release that a
    release could be compared with, BaseError for a damaged layer.
    """
    base_compared = before.is_image and after.is_image
    old = [layer for layer in before.layers if base_compared or not layer.is_base]
    new = [layer for layer in after.layers if base_compared or not layer.is_base]
    for side, layers in ((before, old), (after, new)):
        if not layers and side.layers:
            raise UsageError(
                f"{side.name}: no layer of this image is imagesmith's, so there is nothing to "
                "compare a release with",
                hint="Compare two images, or two releases.",
            )
    old_ids, new_ids = _ids(old), _ids(new)
    gone = [layer for layer in old if layer.layer.diff_id not in new_ids]
    come = [layer for layer in new if layer.layer.diff_id not in old_ids]
    files, facts = _Files(gone, come), _facts(gone, come)
    found = [*files.layers(*facts)]
    if base_compared:
        found += _compressed_otherwise(old, new)
    return Difference(
        tuple(sorted(found, key=lambda layer: (-layer.ships, layer.group, layer.name))),
        len(new) - len(come),
        _settings(before, after),
        base_compared,
        *facts,
    )


def _ids(layers: Iterable[SideLayer]) -> set[str]:
    return {layer.layer.diff_id for layer in layers}


def _settings(before: Side, after: Side) -> tuple[str, ...]:
    if not (before.is_image and after.is_image):
        return ()
    old, new = before.settings, after.settings
    return tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))


def _compressed_otherwise(
    old: Sequence[SideLayer], new: Sequence[SideLayer]
) -> Iterable[LayerDifference]:
    """Layers of one content in other bytes: for a registry they are two blobs."""
    digests = {layer.layer.descriptor.digest for layer in old}
    by_id = {layer.layer.diff_id: layer.layer for layer in old}
    for found in new:
        layer = found.layer
        if layer.diff_id in by_id and layer.descriptor.digest not in digests:
            twin = by_id[layer.diff_id]
            yield LayerDifference(layer.group, layer.name, twin, layer, (), same_content=True)


def _facts(gone: Sequence[SideLayer], come: Sequence[SideLayer]) -> tuple[Facts, Facts]:
    def of(layers: Sequence[SideLayer]) -> Facts:
        own = [layer for layer in layers if layer.layer.group in {Group.RELEASE, Group.BASE}]
        return facts_of(member for layer in own for member in layer.read())

    return of(gone), of(come)


@dataclass(frozen=True, slots=True)
class _Held:
    """A file and the layer that holds it."""

    member: Member
    layer: Layer


class _Files:
    """The files of the layers that differ, paired by where they lie but for versions."""

    def __init__(self, gone: Sequence[SideLayer], come: Sequence[SideLayer]) -> None:
        self.gone, self.come = gone, come

    def layers(self, before: Facts, after: Facts) -> Iterable[LayerDifference]:
        """Each layer of B that A lacks; then those of A that have none of their name in B."""
        old, new = _held(self.gone, before), _held(self.come, after)
        by_name = {_name(layer.layer): layer.layer for layer in self.gone}
        found: dict[tuple[Group, str], list[FileDifference]] = defaultdict(list)
        for place, held in new.items():
            if difference := _compare(old.get(place), held):
                found[_name(held.layer)].append(difference)
        for place, held in old.items():
            if place not in new and (difference := _compare(held, None)):
                found[_name(held.layer)].append(difference)
        for layer in self.come:
            name = _name(layer.layer)
            files = tuple(sorted(found.pop(name, []), key=lambda file: file.path))
            yield LayerDifference(*name, by_name.get(name), layer.layer, files)
        kept = {_name(layer.layer) for layer in self.come}
        for layer in self.gone:
            name = _name(layer.layer)
            if name not in kept:
                files = tuple(sorted(found.pop(name, []), key=lambda file: file.path))
                yield LayerDifference(*name, layer.layer, None, files)


def _name(layer: Layer) -> tuple[Group, str]:
    return layer.group, layer.name


def _held(layers: Iterable[SideLayer], facts: Facts) -> Mapping[str, _Held]:
    """Files, links, and the folders that are more than a way to a file; the topmost wins."""
    found: dict[str, _Held] = {}
    for layer in layers:
        members = layer.read()
        ways = set(parents(member.path for member in members))
        for member in members:
            if not (isinstance(member, FolderMember) and member.path in ways):
                found[facts.place(member)] = _Held(member, layer.layer)
    return found


def _compare(before: _Held | None, after: _Held | None) -> FileDifference | None:
    old, new = before.member if before else None, after.member if after else None
    layer_before = _name(before.layer) if before else None
    at = new or old
    assert at is not None
    path = at.path
    if old is None or new is None:
        change = Change.ADDED if old is None else Change.REMOVED
        return FileDifference(path, change, old, new, layer_before)
    if _content(old) == _content(new):
        if old.path != new.path:
            return FileDifference(path, Change.RENAMED, old, new, layer_before)
        if after and layer_before != _name(after.layer):
            return FileDifference(path, Change.MOVED, old, new, layer_before)
        return None
    chunks = None
    if isinstance(old, FileMember) and isinstance(new, FileMember) and path.endswith(".beam"):
        chunks = compare_modules(old.content.read(), new.content.read())
    return FileDifference(path, Change.CHANGED, old, new, layer_before, chunks)


def _content(member: Member) -> tuple[object, ...]:
    match member:
        case FileMember(_, content, executable):
            return "file", content.sha256, executable
        case LinkMember(_, target):
            return "link", target
        case FolderMember(_, mode):
            return "folder", mode
