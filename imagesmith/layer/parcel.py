"""A cache, or a part of one, as an archive: for CI, whose machines begin without.

    archive.json         {"version": 1, "blobs": {HEX: bytes}, "layers": {KEY: bytes}}
    blobs/sha256/HEX     every blob
    layers/KE/KEY        every entry

The list comes first, so an archive that is cut short is known for one; entries come after the blobs
that they lead to. What is taken was checked: a blob by its digest, an entry by the tar in its blob.
That the tar is what its key stands for cannot be checked, so an archive has to be trusted like the
program that wrote it.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from imagesmith.errors import BaseError, CacheError, OutputError, ReleaseError
from imagesmith.layer.contents import contents
from imagesmith.layer.entries import Entries
from imagesmith.layer.entry import KEY, Entry, parse_entry
from imagesmith.layer.gzip import codec
from imagesmith.layer.member import Content, FileMember, Member
from imagesmith.layer.tar import tar
from imagesmith.layer.verify import plain_digest
from imagesmith.oci.blob import CHUNK_BYTES, checked
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.spec import Descriptor, Json, MediaType, object_of, parse, to_bytes
from imagesmith.oci.temporary import temporary

__all__ = ["Parcel", "export_cache", "import_cache"]

VERSION = 1
LIST = "archive.json"
FOLDERS = re.compile(r"blobs(/sha256)?|layers(/[0-9a-f]{2})?")
MAX_LIST_BYTES = 64 << 20
MAX_ENTRY_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Parcel:
    """What went into an archive or came out of it: layers, and the bytes of their blobs.

    `known` are layers that the cache had already.
    """

    layers: int
    size: int
    known: int = 0


def export_cache(
    cache: Path, to: Path, *, max_size: int | None = None, keys: Collection[str] | None = None
) -> Parcel:
    """Write the layers of these keys, or all, the last used first, up to `max_size` bytes of blobs.

    The same layers give the same bytes. The file appears whole or not at all. Raises OutputError.
    """
    blobs = BlobDir(cache / "blobs")
    chosen: list[Entry] = []
    sizes: dict[str, int] = {}
    for item in reversed(contents(cache)):
        held = [entry for entry in item.entries if keys is None or entry.key in keys]
        if not held or (max_size is not None and sum(sizes.values()) + held[0].size > max_size):
            continue
        blob = blobs.open(held[0].descriptor)
        if blob is None:
            continue
        blob.close()
        chosen += held
        sizes[held[0].digest] = held[0].size
    try:
        with temporary(to.absolute().parent, f".{to.name}.") as made:
            for chunk in tar(_members(blobs, chosen, sizes)):
                made.file.write(chunk)
            made.keep(to)
    except OSError as error:
        raise OutputError(f"{to}: cannot be written: {error.strerror or error}") from None
    except ReleaseError:
        raise OutputError(
            f"{cache}: a blob was changed while it was being read",
            hint="`imagesmith cache verify` says which.",
        ) from None
    return Parcel(len(chosen), sum(sizes.values()))


def _members(
    blobs: BlobDir, entries: Iterable[Entry], sizes: Mapping[str, int]
) -> Iterator[Member]:
    files = {f"layers/{entry.key[:2]}/{entry.key}": entry.to_bytes() for entry in entries}
    listed: dict[str, Json] = {
        "version": VERSION,
        "blobs": {digest.removeprefix("sha256:"): size for digest, size in sizes.items()},
        "layers": {path.rpartition("/")[2]: len(data) for path, data in files.items()},
    }
    yield FileMember(LIST, Content.of_bytes(to_bytes(listed)))
    for digest, size in sizes.items():
        name = digest.removeprefix("sha256:")
        content = Content(name, size, partial(_chunks, blobs.path(digest)))
        yield FileMember(f"blobs/sha256/{name}", content)
    for path, data in files.items():
        yield FileMember(path, Content.of_bytes(data))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def import_cache(cache: Path, archive: Path) -> Parcel:
    """Take every layer of an archive into a cache; each one whole, and only if it is what it says.

    Raises CacheError, naming the file in it, for an archive that is damaged, cut short, or none;
    what was taken before is right, and stays. Raises OutputError if the cache cannot be written.
    """
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as opened:
            return _Importing(cache, archive, opened).run()
    except (tarfile.TarError, EOFError, ValueError):  # tarfile reads some numbers with a bare int()
        raise CacheError(
            f"{archive}: this is no archive of a cache, or it is damaged or cut short",
            hint="Write one with `imagesmith cache export`.",
        ) from None
    except OSError as error:
        raise CacheError(f"{error.filename or archive}: {error.strerror or error}") from None


class _Importing:
    """One import: what the list promises, and what has come of it."""

    def __init__(self, cache: Path, archive: Path, opened: tarfile.TarFile) -> None:
        self.archive, self.opened = archive, opened
        self.blobs, self.entries = BlobDir(cache / "blobs"), Entries(cache)
        self.layers = self.size = self.known = 0

    def run(self) -> Parcel:
        """All of it."""
        first = self.opened.next()
        if first is None or first.name != LIST or not first.isreg():
            raise CacheError(
                f"{self.archive}: this is no archive of a cache",
                hint="Write one with `imagesmith cache export`.",
            )
        wanted = self._wanted(b"".join(self._read(first, MAX_LIST_BYTES)))
        while member := self.opened.next():
            if member.isdir() and FOLDERS.fullmatch(member.name):
                continue
            size = wanted.pop(member.name, None)
            # A sparse file says of itself how large it is: no more than its header need be there.
            if size is None or not member.isreg() or member.issparse():
                raise self._error(member.name, "this is nothing that a cache holds")
            if size != member.size:
                raise self._error(member.name, f"{member.size} bytes instead of {size}")
            if member.name.startswith("blobs/"):
                self._take_blob(member)
            else:
                self._take_entry(member)
        if wanted:
            raise CacheError(
                f"{self.archive}: cut short: {len(wanted)} of its files are missing, the first is "
                f"{min(wanted)}"
            )
        return Parcel(self.layers, self.size, self.known)

    def _wanted(self, data: bytes) -> dict[str, int]:
        """The files that the list promises, and their sizes."""
        try:
            listed = parse(data, LIST)
            if listed.get("version") != VERSION:
                raise CacheError(
                    f"{self.archive}: it is of version {listed.get('version')}, and only version "
                    f"{VERSION} is known",
                    hint="Use the imagesmith that wrote it.",
                )
            blobs = object_of(listed.get("blobs"), f"{LIST}: blobs")
            layers = object_of(listed.get("layers"), f"{LIST}: layers")
        except BaseError as error:
            raise CacheError(f"{self.archive}: {error.message}") from None
        wanted = {}
        for found, folder in ((blobs, "blobs/sha256"), (layers, "layers")):
            for name, size in found.items():
                if not KEY.fullmatch(name) or not isinstance(size, int):
                    raise self._error(LIST, f"{name!r} is no name that a cache has")
                within = folder if found is blobs else f"{folder}/{name[:2]}"
                wanted[f"{within}/{name}"] = size
        return wanted

    def _take_blob(self, member: tarfile.TarInfo) -> None:
        blob = Descriptor(MediaType.LAYER_GZIP, f"sha256:{_name(member)}", member.size)
        held = self.blobs.open(blob)
        if held:
            held.close()
        else:
            self.blobs.add(blob, self._checked(member, blob))

    def _take_entry(self, member: tarfile.TarInfo) -> None:
        key = _name(member)
        entry = parse_entry(b"".join(self._read(member, MAX_ENTRY_BYTES)), key)
        if entry is None:
            raise self._error(member.name, "damaged, or of another version")
        blob = self.blobs.open(entry.descriptor)
        if blob is None:
            raise self._error(member.name, "its blob is not in the archive")
        with blob:
            if plain_digest(blob, entry.media_type) != entry.diff_id:
                raise self._error(member.name, "its blob holds something else")
        held = self.entries.read(key)
        if held and (held.digest == entry.digest or held.codec == codec()):
            self.known += 1
            return
        self.entries.write(entry)
        self.layers += 1
        self.size += entry.size

    def _checked(self, member: tarfile.TarInfo, blob: Descriptor) -> Iterator[bytes]:
        try:
            yield from checked(blob, self._read(member))
        except OutputError as error:
            raise self._error(member.name, error.message) from None

    def _read(self, member: tarfile.TarInfo, most: int | None = None) -> Iterator[bytes]:
        if most is not None and member.size > most:
            raise self._error(member.name, f"{member.size} bytes are too many")
        file = self.opened.extractfile(member)
        while file and (chunk := file.read(CHUNK_BYTES)):
            yield chunk

    def _error(self, name: str, reason: str) -> CacheError:
        return CacheError(f"{self.archive}: {name}: {reason}")


def _name(member: tarfile.TarInfo) -> str:
    return member.name.rpartition("/")[2]
