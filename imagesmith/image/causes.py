"""Why layers differ: for each file what the rules find, and where none does, what is certain.

Rules are in `image/rules.py`, the texts of causes in `image/advice.py`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagesmith.image.advice import Cause
from imagesmith.image.cattle import ROOT
from imagesmith.image.difference import Change, Difference, FileDifference, LayerDifference
from imagesmith.image.facts import compile_env_differences
from imagesmith.image.rules import RULES, Known, Reason, is_of_release, listed, texts
from imagesmith.layer.member import LinkMember
from imagesmith.layer.split import Group

__all__ = ["Explained", "explain"]

BUCKET = re.compile(r"(.+)/(\d+)of(\d+)")
MERGED = re.compile(r"otp|elixir|third-party|own \d+ of \d+")
"""Names that `layer.split` gives to layers."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A layer that differs, with the reasons of the layer as a whole and of each file."""

    layer: LayerDifference
    reasons: tuple[Reason, ...]
    files: tuple[tuple[FileDifference, tuple[Reason, ...]], ...]


def explain(difference: Difference) -> list[Explained]:
    """Every layer that differs, in the order of the difference, with its reasons."""
    known = Known(difference, _toolchain(difference), _compile_env(difference))
    left = defaultdict[object, set[tuple[Group, str]]](set)
    for layer in difference.layers:
        for file in layer.files:
            if file.change is Change.MOVED:
                left[file.layer_before].add((layer.group, layer.name))
    return [
        Explained(
            layer,
            tuple(_layer_reasons(layer, left.get((layer.group, layer.name), set()))),
            tuple((file, tuple(_reasons(layer, file, known))) for file in layer.files),
        )
        for layer in difference.layers
    ]


def _layer_reasons(layer: LayerDifference, left_for: set[tuple[Group, str]]) -> Iterator[Reason]:
    if layer.same_content and layer.before and layer.after:
        yield Reason(
            Cause.CODEC,
            f"{layer.before.descriptor.digest} has become {layer.after.descriptor.digest}",
        )
    elif left_for:
        yield _cut((layer.group, layer.name), sorted(left_for))
    elif not layer.files:
        yield Reason(Cause.METADATA)


def _reasons(layer: LayerDifference, file: FileDifference, known: Known) -> Iterable[Reason]:
    if file.change is Change.MOVED:
        assert file.layer_before is not None
        return [_cut(file.layer_before, [(layer.group, layer.name)])]
    if layer.group is Group.BASE and not file.application:
        return [Reason(Cause.BASE)]
    found = [reason for rule in RULES for reason in rule(file, known)]
    return found or [_by_kind(file)]


def _cut(before: tuple[Group, str], after: Sequence[tuple[Group, str]]) -> Reason:
    """Why files lie in other layers than before; told by the layers' names."""
    old = f"{before[0]} layer {before[1]}"
    new = listed([f"{group} layer {name}" for group, name in after])
    fact = f"from the {old} to the {new}"
    names = [before[1], *(name for _, name in after)]
    if {before[0]} != {group for group, _ in after}:
        return Reason(Cause.CUT_OWNER, fact)
    if any(MERGED.fullmatch(name) for name in names):
        return Reason(Cause.CUT_BUDGET, fact)
    if any(BUCKET.fullmatch(name) for name in names):
        return Reason(Cause.CUT_BUCKETS, fact)
    return Reason(Cause.CUT_SIZE, fact)


def _by_kind(file: FileDifference) -> Reason:
    """What is certain without any rule."""
    match file.change:
        case Change.ADDED:
            return Reason(Cause.ADDED)
        case Change.REMOVED:
            return Reason(Cause.REMOVED)
        case Change.RENAMED:
            return Reason(Cause.VERSION, _renamed(file))
    if file.module is not None:
        return Reason(Cause.CODE, f"{listed([one.name for one in file.chunks or ()])} changed")
    if is_of_release(file):
        return Reason(Cause.RELEASE_FILE)
    return Reason(Cause.CONTENT)


def _renamed(file: FileDifference) -> str:
    if isinstance(file.before, LinkMember) and isinstance(file.after, LinkMember):
        start = f"{ROOT}/lib/{file.after.target}-"
        if file.path.startswith(start):
            old, new = (m.path.removeprefix(start) for m in (file.before, file.after))
            return f"{file.after.target} {old} → {new}"
    return "the version in its path"


# --- what the sides say -------------------------------------------------------------------------


def _toolchain(difference: Difference) -> str:
    """The versions of ERTS and Elixir, where they differ."""
    before, after = difference.before, difference.after
    pairs = [("ERTS", before.erts, after.erts)]
    if "elixir" in before.applications and "elixir" in after.applications:
        pairs.append(("Elixir", before.applications["elixir"], after.applications["elixir"]))
    return ", ".join(f"{name} {old} → {new}" for name, old, new in pairs if old != new)


def _compile_env(difference: Difference) -> dict[str, list[str]]:
    return {
        file.application: compile_env_differences(*found)
        for layer in difference.layers
        for file in layer.files
        if file.path.endswith(".app") and (found := texts(file))
    }
