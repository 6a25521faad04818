"""Caches with made layers in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from imagesmith.layer.cache import Cache
from imagesmith.layer.entry import Entry
from imagesmith.layer.store import Scratch, Tar

__all__ = ["fill", "key_of", "made_cache", "never", "read", "tar_of"]


def key_of(text: str) -> str:
    """A key: what a text's layer is known by."""
    return hashlib.sha256(text.encode()).hexdigest()


def tar_of(text: str) -> Callable[[], list[bytes]]:
    """What stands for a layer's tar."""
    return lambda: [text.encode()]


def never() -> Iterator[bytes]:
    """A tar that nobody may ask for."""
    raise AssertionError("a layer that is known was written again")


def made_cache(folder: Path, said: list[str] | None = None) -> Cache:
    """A cache in the folder, its spare store beside it; `said` gets what it tells."""
    spare = folder.with_name(f"{folder.name} spare")
    spare.mkdir(exist_ok=True)
    return Cache(folder, Scratch(spare), (said if said is not None else []).append)


def fill(cache: Cache, *texts: str, used: float | None = None) -> list[Entry]:
    """Write a layer for each text; with `used` as the time of its last use."""
    entries = [cache.write(key_of(text), tar_of(text), f"own {text}") for text in texts]
    if used is not None:
        for entry in entries:
            for path in (cache.entries.path(entry.key), cache.blobs.path(entry.digest)):
                os.utime(path, (used, used))
    return entries


def read(cache: Cache, entry: Entry, tar: Tar = never) -> bytes:
    """A layer's blob."""
    with cache.open(entry, tar) as file:
        return file.read()
