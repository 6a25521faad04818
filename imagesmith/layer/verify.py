"""Checking a whole cache: every entry, every blob, down to the tar in it, every exported base."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, cast

from zstandard import ZstdDecompressor, ZstdError

from imagesmith.errors import BaseError
from imagesmith.layer.contents import BASES, blob_paths, entry_paths, in_folder
from imagesmith.layer.entries import Entries
from imagesmith.layer.entry import KEY, VERSION, Entry, document_of
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.layout import Layout
from imagesmith.oci.spec import MediaType

__all__ = ["Damage", "Report", "plain_digest", "repair", "verify"]

CHUNK_BYTES = 1 << 20
LINK_TO_NOTHING = "a link to nothing"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a cache that is not what it should be, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """How many entries, blobs and bases were checked, and what is damaged."""

    entries: int
    blobs: int
    bases: int
    damages: tuple[Damage, ...]


def verify(cache: Path) -> Report:
    """Check everything; changes nothing. What another process removes meanwhile is no damage.

    A blob that is lacking is none either: it is written again when somebody wants it.
    """
    found = [(path, _entry(cache, path)) for path in entry_paths(cache)]
    damages = [entry for _, entry in found if isinstance(entry, Damage)]
    entries: dict[str, list[tuple[Path, Entry]]] = defaultdict(list)
    for path, entry in found:
        if isinstance(entry, Entry):
            entries[entry.digest].append((path, entry))
    blobs = list(blob_paths(cache))
    for path in blobs:
        damages += _blob(path, entries.get(f"sha256:{path.name}", []))
    # A name with `export-` is that of one that is being made.
    bases = [root for root in in_folder(cache / BASES) if not root.name.startswith("export-")]
    for root in bases:
        damages += _base(root)
    return Report(len(found), len(blobs), len(bases), tuple(damages))


def repair(report: Report) -> None:
    """Remove what is damaged. Raises OSError."""
    for damage in report.damages:
        if damage.path.is_dir() and not damage.path.is_symlink():
            shutil.rmtree(damage.path)
        else:
            damage.path.unlink(missing_ok=True)


def plain_digest(blob: BinaryIO, media_type: str) -> str | None:
    """The digest of a blob's tar, its diff ID; None if it cannot be unpacked. Raises OSError."""
    digest = hashlib.sha256()
    try:
        file = _unpacked(blob, media_type)
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error, ZstdError):
        return None
    return f"sha256:{digest.hexdigest()}"


def _unpacked(blob: BinaryIO, media_type: str) -> BinaryIO:
    if media_type == MediaType.LAYER_GZIP:
        return cast(BinaryIO, gzip.GzipFile(fileobj=blob))
    if media_type == MediaType.LAYER_ZSTD:
        return ZstdDecompressor().stream_reader(blob, read_across_frames=True, closefd=False)
    return blob


def _entry(cache: Path, path: Path) -> Entry | Damage | None:
    """The entry; None if it has just gone, or is of another version."""
    if not KEY.fullmatch(path.name) or path.parent.name != path.name[:2]:
        return Damage(path, "no entry lies here")
    try:
        document = document_of(path.read_bytes())
    except FileNotFoundError:
        return Damage(path, LINK_TO_NOTHING) if path.is_symlink() else None
    except OSError as error:
        return Damage(path, f"cannot be read: {error.strerror}")
    if document is None or document.get("key") != path.name:
        return Damage(path, "damaged, or of another key")
    if document.get("version") != VERSION:
        return None
    return Entries(cache).read(path.name) or Damage(path, "says too little")


def _blob(path: Path, entries: Sequence[tuple[Path, Entry]]) -> Iterator[Damage]:
    """A blob is right if its name is its digest; then it tells whether its entries are."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != path.name:
                yield Damage(path, f"damaged: it is {digest}")
                return
            size = file.tell()
            for media_type, group in groupby(entries, key=lambda item: item[1].media_type):
                file.seek(0)
                diff_id = plain_digest(file, media_type)
                for at, entry in group:
                    if (entry.diff_id, entry.size) != (diff_id, size):
                        yield Damage(at, f"says something else than what is in {entry.digest}")
    except FileNotFoundError:
        if path.is_symlink():
            yield Damage(path, LINK_TO_NOTHING)
    except OSError as error:
        yield Damage(path, f"cannot be read: {error.strerror}")


def _base(root: Path) -> Iterator[Damage]:
    try:
        layout = Layout(root)
        blobs = BlobDir(layout.root / "blobs")
        for digest in sorted(layout.reachable()):
            for damage in _blob(blobs.path(digest), []):
                yield Damage(root, f"blob {digest}: {damage.reason}")
                return
    except BaseError as error:
        if root.exists():
            yield Damage(root, error.message)
