"""The files of an image's release: path → what lies there, so that two images can be compared.

    {"bin/shop": "file 755 SHA-256", "lib/core-0.1.0": "link core", "tmp": "folder 755"}

It is what `--append-to` needs of the earlier image. Beside an image in a registry it is an
artifact that refers to it (OCI "Image Manifest", `subject`), its one blob this JSON, gzipped.
"""

from __future__ import annotations

import gzip
import posixpath
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from imagesmith.base.sysroot import Sysroot
from imagesmith.beam.tree import CHUNK_BYTES
from imagesmith.errors import BaseError
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member, parents
from imagesmith.oci.spec import parse, to_bytes

__all__ = [
    "ARTIFACT",
    "MEDIA_TYPE",
    "FileList",
    "gone",
    "list_image",
    "list_members",
    "pack",
    "unpack",
]

ARTIFACT = "application/vnd.imagesmith.files.v1"
MEDIA_TYPE = "application/vnd.imagesmith.files.v1+json+gzip"
MAX_BYTES = 64 << 20

FileList = Mapping[str, str]
"""By path under the release's root; folders only where nothing lies in them or the mode says so."""


def list_members(members: Iterable[Member]) -> dict[str, str]:
    """The list of what is about to be written."""
    return {member.path: _describe(member) for member in members}


def list_image(root: Sysroot, folder: str) -> dict[str, str]:
    """The list of what lies under `folder` in an image. Raises BaseError if it cannot be read."""
    return dict(_walk(root, f"/{folder}", ""))


def pack(files: FileList) -> bytes:
    """The blob. Its time is zero, so the same list gives the same bytes (RFC 1952, MTIME)."""
    return gzip.compress(to_bytes(dict(files)), mtime=0)


def unpack(blob: bytes, place: str) -> dict[str, str]:
    """The list in a blob. Raises BaseError, naming `place`, if it is none."""
    inflate = zlib.decompressobj(wbits=31)
    try:
        data = inflate.decompress(blob, MAX_BYTES)
    except zlib.error as error:
        raise BaseError(f"{place}: this is no list of files: {error}") from None
    if not inflate.eof:
        raise BaseError(f"{place}: the list of files is cut short, or over {MAX_BYTES >> 20} MiB")
    found = parse(data, place)
    return {path: str(what) for path, what in found.items()}


def _describe(member: Member) -> str:
    match member:
        case FileMember(_, content, executable):
            return f"file {'755' if executable else '644'} {content.sha256}"
        case LinkMember(_, target):
            return f"link {target}"
        case FolderMember(_, mode):
            return f"folder {mode:o}"


def _walk(root: Sysroot, top: str, path: str) -> Iterator[tuple[str, str]]:
    for name in sorted(root.children(f"{top}/{path}" if path else top)):
        below = posixpath.join(path, name)
        place = f"{top}/{below}"
        entry = root.entry(place)
        assert entry is not None
        if stat.S_ISDIR(entry.mode):
            held = list(_walk(root, top, below))
            mode = stat.S_IMODE(entry.mode)
            if not held or mode != FolderMember(below).mode:
                yield below, f"folder {mode:o}"
            yield from held
        elif stat.S_ISLNK(entry.mode):
            yield below, f"link {entry.target}"
        else:
            content = Content.of(partial(_chunks, root, place))
            yield below, f"file {stat.S_IMODE(entry.mode):o} {content.sha256}"


def _chunks(root: Sysroot, place: str) -> Iterator[bytes]:
    with root.open(place) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def gone(old: FileList, new: FileList) -> list[str]:
    """What `new` no longer has, each folder that went as a whole named once, sorted.

    What lies in a folder that has become a file goes with the folder, and is not named.
    """
    left = {*new, *parents(new)}
    in_the_way = {path for path, what in new.items() if not what.startswith("folder")}
    found = set()
    for path in old.keys() - left:
        if not in_the_way.isdisjoint(parents([path])):
            continue
        while (folder := posixpath.dirname(path)) and folder not in left:
            path = folder
        found.add(path)
    return sorted(found, key=str.encode)
