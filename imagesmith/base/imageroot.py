"""A sysroot that is an image: the union of its layers, indexed in memory, contents on disk.

As a runtime would unpack them (OCI "Image Layer Filesystem Changeset"): whiteouts hide what lies
below, a file takes the place of a file, a folder is joined to a folder. Where the rules leave
something open it is as containerd does it (`archive/tar.go`): a link on the way to an entry is
followed, a link at its end is replaced. No layer is ever unpacked to paths of this machine.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import posixpath
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import BinaryIO

from imagesmith.base.changeset import Change, DamagedTarError, read_changes
from imagesmith.base.sysroot import Entry, Sysroot, parts_of
from imagesmith.beam.tree import MAX_LINK_HOPS
from imagesmith.errors import BaseError
from imagesmith.layer.layer import Layer
from imagesmith.oci.spec import MediaType

__all__ = ["ImageRoot", "unpack"]

CHUNK_BYTES = 1 << 18
MAX_BYTES = 64 << 30
MAX_ENTRIES = 2_000_000
MAX_PATH = 4096  # PATH_MAX
"""More than any system has; a few kB of gzip may promise gigabytes."""

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
AUFS = ".wh..wh."  # whose own records are no whiteouts


@dataclass(slots=True)
class Node:
    """A file, link or folder of the union; a folder has `children`."""

    mode: int
    target: str = ""
    offset: int | None = None
    size: int = 0
    children: dict[str, Node] | None = None

    @classmethod
    def folder(cls, mode: int = stat.S_IFDIR | 0o755) -> Node:
        """An empty one."""
        return cls(mode, children={})


class ImageRoot(Sysroot):
    """The layers of an image, bottom to top. A context manager: its temporary file ends with it.

    Raises BaseError, naming the layer, for one that is damaged or that a runtime would refuse.
    """

    def __init__(self, layers: Iterable[Layer], name: str) -> None:
        self.name = name
        self._top = Node.folder()
        self._entries = 0
        with self.reading("a temporary file"):
            self._file = tempfile.TemporaryFile(prefix="imagesmith-")  # noqa: SIM115 - `close` ends it
        try:
            for layer in layers:
                place = f"{name}: layer {layer.descriptor.digest}"
                start = self._file.tell()
                unpack(layer, self._file, place)
                try:
                    self._apply(list(read_changes(self._file.fileno(), start, self._file.tell())))
                except DamagedTarError as error:
                    raise BaseError(f"{place}: {error}") from None
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> ImageRoot:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def entry(self, path: str) -> Entry | None:
        """See Sysroot."""
        node = self._node(path)
        return Entry(node.mode, node.target) if node else None

    def children(self, path: str) -> Iterable[str]:
        """See Sysroot."""
        node = self._node(path)
        return node.children or () if node else ()

    def open(self, path: str) -> BinaryIO:
        """See Sysroot."""
        node = self._node(path)
        if node is None or node.offset is None:
            raise BaseError(f"{self.name}: {path} cannot be read: it is no file, or a sparse one")
        return io.BufferedReader(_Slice(self._file.fileno(), node.offset, node.size))

    def _node(self, path: str) -> Node | None:
        node: Node | None = self._top
        for part in reversed(parts_of(path)):
            if node is None or node.children is None:
                return None
            node = node.children.get(part)
        return node

    def _apply(self, changes: list[Change]) -> None:
        """Whiteouts first, wherever they stand: they hide only what lower layers have."""
        self._entries += len(changes)
        if self._entries > MAX_ENTRIES:
            raise DamagedTarError(f"with it there are more than {MAX_ENTRIES} files")
        additions = []
        for change in changes:
            path = posixpath.normpath(f"/{change.path.lstrip('/')}")
            if len(path) > MAX_PATH:
                raise DamagedTarError(f"it has a path of {len(path)} bytes")
            folder, name = posixpath.split(path)
            if path.startswith(f"/{AUFS}") and name != OPAQUE:
                continue
            if not name.startswith(WHITEOUT):
                additions.append((folder, name, change))
            elif name == OPAQUE or not name.startswith(AUFS):
                self._hide(folder, name)
        for folder, name, change in additions:
            self._add(folder, name, change)

    def _hide(self, folder: str, name: str) -> None:
        hidden = name.removeprefix(WHITEOUT)
        if hidden in ("", ".", ".."):
            raise DamagedTarError(f"it has a whiteout of no file: {folder}/{name}")
        below = self._folder(folder, make=False)
        if below and below.children:
            if name == OPAQUE:
                below.children.clear()
            else:
                below.children.pop(hidden, None)

    def _add(self, folder: str, name: str, change: Change) -> None:
        if not name:  # the root itself
            return
        held = self._folder(folder, make=True)
        if held is None or held.children is None:
            raise DamagedTarError(f"{folder}/{name} would lie in what is no folder")
        if change.hard is not None:
            node = self._hard(change)
        elif stat.S_ISDIR(change.mode):
            node = held.children.get(name) or Node.folder()
            node = node if node.children is not None else Node.folder()
            node.mode = change.mode
        else:
            offset = change.offset if stat.S_ISREG(change.mode) else None
            node = Node(change.mode, change.target, offset, change.size)
        held.children[name] = node

    def _hard(self, change: Change) -> Node:
        folder, name = posixpath.split(posixpath.normpath(f"/{(change.hard or '').lstrip('/')}"))
        held = self._folder(folder, make=False)
        node = held.children.get(name) if held and held.children else None
        if node is None or node.children is not None:
            raise DamagedTarError(
                f"{change.path} is a hard link to {change.hard}, which is no file"
            )
        return node

    def _folder(self, path: str, *, make: bool) -> Node | None:
        """The folder at a path, links followed; where it is missing it can be made."""
        todo = parts_of(path)
        trail = [self._top]
        hops = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del trail[max(1, len(trail) - 1) :]
                continue
            children = trail[-1].children
            if children is None:
                return None
            node = children.get(part)
            if node is None:
                if not make:
                    return None
                node = children[part] = Node.folder()
            if not stat.S_ISLNK(node.mode):
                trail.append(node)
                continue
            hops += 1
            if hops > MAX_LINK_HOPS:
                return None
            if node.target.startswith("/"):
                del trail[1:]
            todo += parts_of(node.target)
        return trail[-1] if trail[-1].children is not None else None


class _Slice(io.RawIOBase):
    """A part of a file, to be read."""

    def __init__(self, handle: int, offset: int, size: int) -> None:
        self._handle, self._offset, self._size, self._at = handle, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        wanted = max(0, min(len(view), self._size - self._at))
        data = os.pread(self._handle, wanted, self._offset + self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def unpack(layer: Layer, to: BinaryIO, place: str) -> None:
    """Append the layer's tar to a file. Raises BaseError unless it is what its diff ID names."""
    digest, size = hashlib.sha256(), 0
    try:
        with layer.open() as blob:
            for chunk in _ahead(_plain(blob, layer.descriptor.media_type, place)):
                size += len(chunk)
                if size > MAX_BYTES:
                    raise BaseError(f"{place}: it unpacks to more than {MAX_BYTES >> 30} GiB")
                digest.update(chunk)
                to.write(chunk)
        to.flush()
    except (zlib.error, EOFError):
        raise BaseError(f"{place}: it is damaged: it cannot be unpacked") from None
    except OSError as error:
        raise BaseError(f"{place}: it cannot be read: {error.strerror or error}") from None
    if f"sha256:{digest.hexdigest()}" != layer.diff_id:
        raise BaseError(f"{place}: it is damaged: its content is not {layer.diff_id}")


def _ahead(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, each read while the one before is being used: zlib and hashlib free the GIL."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, chunks, b"")
        while chunk := coming.result():
            coming = pool.submit(next, chunks, b"")
            yield chunk


def _plain(blob: BinaryIO, media_type: str, place: str) -> Iterator[bytes]:
    if media_type == MediaType.LAYER_GZIP:
        return _gunzipped(blob)
    if media_type == MediaType.LAYER_ZSTD:
        return _unzstd(blob, place)
    return iter(partial(blob.read, CHUNK_BYTES), b"")


def _gunzipped(blob: BinaryIO) -> Iterator[bytes]:
    """Every member, each chunk at most as large as the reader wants; raises at a missing end."""
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    begun = False
    while data := blob.read(CHUNK_BYTES):
        while data:
            if unpacking.eof:
                data = data.lstrip(b"\0")  # padding, as gzip(1) allows it
                if not data:
                    break
                unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
            begun = True
            chunk = unpacking.decompress(data, 4 * CHUNK_BYTES)
            if chunk:
                yield chunk
            data = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
    while begun and not unpacking.eof and (chunk := unpacking.decompress(b"", 4 * CHUNK_BYTES)):
        yield chunk
    if not unpacking.eof:
        raise EOFError


def _unzstd(blob: BinaryIO, place: str) -> Iterator[bytes]:
    """By a library that need not be there."""
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise BaseError(
            f"{place}: it is compressed with zstd, which cannot be read here",
            hint="`pip install zstandard`, or have the image with gzip: "
            "`skopeo copy --dest-compress-format gzip --dest-force-compress-format …`.",
        ) from None
    reader = zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True)

    def read() -> bytes:
        try:
            return bytes(reader.read(CHUNK_BYTES))
        except zstandard.ZstdError:
            raise EOFError from None

    return iter(read, b"")
