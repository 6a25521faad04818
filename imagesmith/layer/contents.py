"""What a cache holds: layers, each a blob and the entries that lead to it, bases and memos."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imagesmith.layer.entries import Entries
from imagesmith.layer.entry import Entry
from imagesmith.memo import MEMOS
from imagesmith.oci.blobs import BlobDir

__all__ = [
    "BASES",
    "MEMO",
    "Item",
    "blob_paths",
    "contents",
    "entry_paths",
    "files_in",
    "in_folder",
    "remove",
]

BASES = "bases"
"""The folder of exported bases, an OCI layout each (`base.export`)."""
MEMO = "memo"
"""The group of what was found out once (`memo`): small, and of no interest by itself."""


@dataclass(frozen=True, slots=True)
class Item:
    """The smallest thing that can be removed by itself.

    `group` and `name` say what it is, `digest` is its blob's, `size` its bytes on disk, `used` the
    time of its last use (seconds since 1970). `paths` are its files, in the order to remove them.
    """

    group: str
    name: str
    digest: str
    size: int
    used: float
    paths: tuple[Path, ...]
    entries: tuple[Entry, ...] = ()


def contents(cache: Path) -> list[Item]:
    """Everything in a cache, the least recently used first. What vanishes meanwhile is left out."""
    by_digest: dict[str, list[tuple[Path, Entry]]] = defaultdict(list)
    items: list[Item | None] = []
    entries, blobs = Entries(cache), BlobDir(cache / "blobs")
    for path in entry_paths(cache):
        entry = entries.read(path.name)
        if entry and path == entries.path(entry.key):
            by_digest[entry.digest].append((path, entry))
        else:
            items.append(_item("unreadable", f"entry {path.name}", "", (path,)))
    for digest, held in by_digest.items():
        known = tuple(entry for _, entry in held)
        group, _, name = known[0].of.partition(" ")
        paths = (*(path for path, _ in held), blobs.path(digest))
        items.append(_item(group, name, digest, paths, known))
    for path in blob_paths(cache):
        digest = f"sha256:{path.name}"
        if digest not in by_digest:
            items.append(_item("blob", digest[:19], digest, (path,)))
    items += [_item("exported base", root.name, "", (root,)) for root in in_folder(cache / BASES)]
    items += [_item(MEMO, path.name[:12], "", (path,)) for path in in_folder(cache / MEMOS)]
    return sorted(filter(None, items), key=lambda item: (item.used, item.name))


def entry_paths(cache: Path) -> Iterator[Path]:
    """What lies where entries lie; in order of keys."""
    for folder in in_folder(cache / "layers"):
        yield from in_folder(folder)


def blob_paths(cache: Path) -> Iterator[Path]:
    """What lies where blobs lie; in order of digests."""
    return in_folder(cache / "blobs/sha256")


def remove(item: Item) -> bool:
    """Remove an item, unless it was used or removed since it was listed. Raises OSError."""
    if _stat(item.paths) != (item.size, item.used):
        return False
    for path in item.paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return True


def files_in(folder: Path) -> Iterator[Path]:
    """The regular files below a folder."""
    with suppress(OSError):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path


def in_folder(folder: Path) -> Iterator[Path]:
    """What lies in a folder, by name; nothing if there is none."""
    with suppress(OSError):
        yield from sorted(folder.iterdir())


def _item(
    group: str, name: str, digest: str, paths: tuple[Path, ...], entries: tuple[Entry, ...] = ()
) -> Item | None:
    found = _stat(paths)
    return Item(group, name, digest, *found, paths, entries) if found else None


def _stat(paths: tuple[Path, ...]) -> tuple[int, float] | None:
    """Bytes and time of last use; None if nothing of it is there."""
    sizes, times = [], []
    for path in paths:
        with suppress(OSError):
            found = path.lstat()
            times.append(found.st_mtime)
            sizes.append(found.st_size)
            if path.is_dir():
                sizes += [file.lstat().st_size for file in files_in(path)]
    return (sum(sizes), max(times)) if times else None
