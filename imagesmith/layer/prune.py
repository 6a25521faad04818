"""Making room in a cache: what was not used for long goes first, what a build may use stays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imagesmith.layer.contents import Item, contents, remove
from imagesmith.layer.running import running_since
from imagesmith.oci.temporary import sweep

__all__ = ["Pruned", "prune"]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, the bytes that are left, and how many bytes of them running builds hold."""

    removed: tuple[Item, ...]
    left: int
    in_use: int


def prune(cache: Path, *, max_size: int | None = None, unused_since: float | None = None) -> Pruned:
    """Remove what was last used before `unused_since`, and the oldest until `max_size` bytes are
    left.

    Whatever was used since the oldest running build has started stays. A build that starts
    meanwhile may miss a layer, and writes it again. Raises OSError if a file cannot be removed.
    """
    sweep(cache / "blobs/tmp")
    started = running_since(cache)
    found = contents(cache)
    left, in_use, removed = sum(item.size for item in found), 0, []
    for item in found:
        if started is not None and item.used >= started:
            in_use += item.size
            continue
        is_old = unused_since is not None and item.used < unused_since
        is_too_much = max_size is not None and left > max_size
        if (is_old or is_too_much) and remove(item):
            left -= item.size
            removed.append(item)
    return Pruned(tuple(removed), left, in_use)
