"""Files out of a bundle's layers: exactly those that its facts list, each checked by its digest."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from imagesmith.errors import BundleError, OutputError
from imagesmith.layer.member import parents
from imagesmith.oci.blob import CHUNK_BYTES, Source
from imagesmith.oci.spec import EPOCH, MediaType

if TYPE_CHECKING:
    from imagesmith.upgrade.facts import BundleFile, Facts

__all__ = ["read_file", "volume_tar"]


class Packed(Protocol):
    """What is unpacked: a `bundle.Bundle`."""

    @property
    def facts(self) -> Facts:
        """What it says of itself."""

    @property
    def layers(self) -> tuple[Source, ...]:
        """Its layers, in the order of `facts.layers`."""


def volume_tar(bundle: Packed) -> Iterator[bytes]:
    """A tar of exactly the listed files and links, with paths relative to the volume.

    GNU's form, since busybox does not read the long paths of PAX. A file's time is that of its
    layer. Raises BundleError, maybe after a part was given out: what came until then is nothing.
    """
    facts = bundle.facts
    paths = [*(file.path for file in facts.files), *(link.path for link in facts.links)]
    size = 0
    for chunk in _archive(bundle, list(parents(paths))):
        size += len(chunk)
        yield chunk
    yield bytes(2 * tarfile.BLOCKSIZE + -(size + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE)


def read_file(facts: Facts, layers: Sequence[Source], path: str) -> bytes:
    """One small file. Raises BundleError if it is damaged, or not listed."""
    for file in facts.files:
        if file.path == path:
            source = layers[facts.layers.index(file.layer)]
            for _, _, content in _members(source, {file.member: file}):
                return b"".join(content)
    raise BundleError(f"the bundle has no {path}")


def _archive(bundle: Packed, folders: Sequence[str]) -> Iterator[bytes]:
    facts = bundle.facts
    for folder in folders:
        yield _header(folder, tarfile.DIRTYPE, 0o755)
    for diff_id, source in zip(facts.layers, bundle.layers, strict=True):
        wanted = {file.member: file for file in facts.files if file.layer == diff_id}
        if not wanted:
            continue
        for file, member, content in _members(source, wanted):
            mode = 0o755 if file.executable else 0o644
            yield _header(file.path, tarfile.REGTYPE, mode, member.size, int(member.mtime))
            yield from content
            yield bytes(-member.size % tarfile.BLOCKSIZE)
    for link in facts.links:
        yield _header(link.path, tarfile.SYMTYPE, 0o777, target=link.target)


def _members(
    source: Source, wanted: dict[str, BundleFile]
) -> Iterator[tuple[BundleFile, tarfile.TarInfo, Iterator[bytes]]]:
    """The wanted files of a layer in its order, each to be read before the next is asked for."""
    missing = dict(wanted)
    digest = source.descriptor.digest
    try:
        plain = io.BufferedReader(_Chunks(_plain(source)), CHUNK_BYTES)
        with tarfile.open(fileobj=plain, mode="r|") as archive:
            for member in archive:
                file = missing.pop(member.name, None)
                if file is None:
                    continue
                if not member.isreg():
                    raise BundleError(f"layer {digest}: {member.name} is no file")
                yield file, member, _checked(archive, member, file)
            # To the blob's end: its digest is checked there.
            while plain.read(CHUNK_BYTES):
                pass
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise BundleError(f"layer {digest} is damaged: {error}") from None
    except OutputError as error:
        raise BundleError(error.message) from None
    if missing:
        raise BundleError(f"layer {digest} lacks {min(missing)}, which the bundle lists")


def _checked(
    archive: tarfile.TarFile, member: tarfile.TarInfo, file: BundleFile
) -> Iterator[bytes]:
    content = archive.extractfile(member)
    digest, size = hashlib.sha256(), 0
    while content and (chunk := content.read(CHUNK_BYTES)):
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if size != member.size or digest.hexdigest() != file.sha256:
        raise BundleError(f"{file.path} is damaged: the bundle lists other bytes of it")


def _plain(source: Source) -> Iterator[bytes]:
    if source.descriptor.media_type == MediaType.LAYER_TAR:
        yield from source.chunks()
        return
    if source.descriptor.media_type != MediaType.LAYER_GZIP:
        raise BundleError(
            f"layer {source.descriptor.digest} is of the type {source.descriptor.media_type}, "
            "which cannot be unpacked"
        )
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for chunk in source.chunks():
        while chunk:
            if member.eof:  # gzip as imagesmith writes it has many members
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield member.decompress(chunk, CHUNK_BYTES)
            chunk = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise EOFError("it is cut short")


class _Chunks(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def _header(
    path: str, kind: bytes, mode: int, size: int = 0, mtime: int = EPOCH, target: str = ""
) -> bytes:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.size, info.mtime, info.linkname = kind, mode, size, mtime, target
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
