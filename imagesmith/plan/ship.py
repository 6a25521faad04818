"""What an upgrade brings to a running container: files, and their bytes before compression.

As `upgrade.make` sorts them out: changed applications whole, but for native code, which is a link
into the image; the consolidated protocols; `releases/NEW`, and `bin/` in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from imagesmith.beam.module import canonical
from imagesmith.beam.release import Release
from imagesmith.beam.tree import File
from imagesmith.layer.files import ELF_MAGIC, NO_PROGRAMS, kept_chunks
from imagesmith.plan.change import Change

__all__ = ["Shipment", "shipment"]

LEFT_OUT = (".script",)
"""The VM boots the `.boot` file; no image has its text."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """How much it is; the relup, which is still to be made, is not counted."""

    files: int
    bytes: int


def shipment(after: Release, changes: Iterable[Change]) -> Shipment:
    """Of an upgrade to `after` in which these applications change. Raises ReleaseError."""
    sizes = list(_sizes(after, {item.name for item in changes}))
    return Shipment(len(sizes), sum(sizes))


def _sizes(release: Release, changed: Collection[str]) -> Iterator[int]:
    keep = kept_chunks(release, "auto")
    starts = (
        *(f"{item.folder}/" for item in release.applications if item.name in changed),
        f"{release.consolidated}/",
        f"{release.folder}/",
        "bin/",
    )
    for path in release.paths:
        entry = release.tree.entries[path]
        if not isinstance(entry, File) or not path.startswith(starts) or path.endswith(LEFT_OUT):
            continue
        if path.endswith(".beam"):
            yield len(canonical(release.tree.read(path), keep))
        elif path.endswith(NO_PROGRAMS) or release.tree.read(path, 4) != ELF_MAGIC:
            yield entry.size
