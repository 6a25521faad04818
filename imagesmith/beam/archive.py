"""A release in a `.tar.gz`, read as a tree, without unpacking a file by its name.

The archive is decompressed into one temporary file that has no name either, and each entry is a
range of it. So a path or a link that leads elsewhere can write nowhere; it is refused all the same.
`mix` (`steps: [:assemble, :tar]`), relx (`rebar3 tar`), Distillery and `tar -czf` make such files.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from imagesmith.beam.tree import (
    CHUNK_BYTES,
    NAME_THE_FOLDER,
    EmptyFolder,
    Entry,
    File,
    Folder,
    Link,
    Tree,
    show_path,
)
from imagesmith.errors import ReleaseError, UsageError

__all__ = ["Archive", "open_tree"]

MAX_BYTES = 16 << 30
MAX_RATIO = 100
FREE_BYTES = 64 << 20
"""An archive may hold this much, and MAX_RATIO of its own size: releases shrink to a third."""

MAX_ENTRIES = 250_000
MAX_HEADER_BYTES = 1 << 20
"""A PAX header of a sane archive is a few hundred bytes; Python reads it in one go."""

BLOCK = 512
START_DATA = "releases/start_erl.data"
HINT = "Make it anew, with `steps: [:assemble, :tar]` in mix.exs, `rebar3 tar`, or `tar -czf`."


def open_tree(path: Path) -> Tree:
    """The tree of a release: a folder, or a `.tar.gz` of one.

    Raises UsageError if there is none, ReleaseError if it cannot be read.
    """
    return Archive(path) if path.is_file() else Folder(path)


class Archive:
    """A tree that is a `.tar.gz`.

    Raises UsageError if there is no such file, ReleaseError for an archive that is cut short,
    broken, far larger than it looks, or not as an archive of a release is.
    """

    def __init__(self, path: Path) -> None:
        self.name = show_path(str(path))
        if not path.is_file():
            raise UsageError(f"{self.name}: there is no such archive", hint=NAME_THE_FOLDER)
        self._spool = tempfile.TemporaryFile(prefix="imagesmith-")  # noqa: SIM115 - lives as we do
        self._places: dict[str, tuple[int, int]] = {}
        try:
            self._decompress(path)
            found = self._index()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ReleaseError(f"{self.name}: cannot be read: {reason}") from None
        self.entries: Mapping[str, Entry] = dict(sorted(self._rooted(found).items()))

    def open(self, path: str) -> BinaryIO:
        """See Tree."""
        if path not in self._places:
            raise ReleaseError(f"{self.name}: {show_path(path)} cannot be read: it is no file")
        start, size = self._places[path]
        return io.BufferedReader(_Range(self._spool.fileno(), start, size))

    def read(self, path: str, size: int = -1) -> bytes:
        """See Tree."""
        with self.open(path) as file:
            return file.read(size)

    def stream(self, path: str) -> Iterator[bytes]:
        """See Tree."""
        with self.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def _decompress(self, path: Path) -> None:
        compressed = path.stat().st_size
        allowed = min(MAX_BYTES, FREE_BYTES + MAX_RATIO * compressed)
        try:
            with gzip.open(path) as file:
                while chunk := file.read(CHUNK_BYTES):
                    if self._spool.tell() + len(chunk) > allowed:
                        raise ReleaseError(
                            f"{self.name}: {compressed} bytes unpack to more than {allowed}: "
                            "this is no archive of a release",
                            hint="If it is one, unpack it and name the folder.",
                        )
                    self._spool.write(chunk)
        except EOFError:
            raise self._wrong("it is cut short") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self._wrong(f"it is no .tar.gz, or broken: {error}") from None
        self._spool.flush()

    def _index(self) -> dict[str, Entry]:
        size = self._spool.tell()
        found: dict[str, Entry] = {}
        folders: set[str] = set()
        try:
            with tarfile.open(fileobj=_Headers(self._spool), mode="r:") as archive:
                while (member := archive.next()) is not None:
                    if len(found) + len(folders) > MAX_ENTRIES:
                        raise self._wrong(f"it has more than {MAX_ENTRIES} entries")
                    path = self._path(member.name)
                    if member.isdir():
                        folders.add(path)
                        continue
                    before = found.get(path), self._places.get(path)
                    found[path] = self._entry(member, path, size)
                    if before[0] and not self._same(path, found[path], *before):
                        raise self._wrong(f"{show_path(path)} is in it twice, and differs")
                end = archive.offset
        except tarfile.TarError as error:
            raise self._wrong(f"it is broken or cut short: {error}") from None
        except (ValueError, OverflowError) as error:
            raise self._wrong(f"it is broken: {error}") from None
        # Python takes a broken header for the end.
        self._spool.seek(end)
        if self._spool.read(BLOCK) != bytes(BLOCK):
            raise self._wrong("it is broken or cut short: a tar ends with a block of zeros")
        self._check_parents(found, folders)
        held = set(_parents(found)) | set(_parents(folders))
        return found | {path: EmptyFolder() for path in folders - held if path}

    def _entry(self, member: tarfile.TarInfo, path: str, size: int) -> Entry:
        if member.issym():
            return Link(member.linkname)
        if member.islnk():
            target = self._path(member.linkname)
            if target not in self._places:
                raise self._wrong(
                    f"the hard link {show_path(path)} leads to {show_path(target)}, "
                    "which is no file before it"
                )
            self._places[path] = self._places[target]
        elif member.isreg() and not member.issparse():
            if member.size < 0 or member.offset_data + member.size > size:
                raise self._wrong(f"it is cut short in {show_path(path)}")
            self._places[path] = (member.offset_data, member.size)
        else:
            raise self._wrong(f"{show_path(path)} is {_kind(member)}, which no image can hold")
        return File(self._places[path][1], bool(member.mode & 0o100))

    def _same(
        self, path: str, entry: Entry, other: Entry | None, place: tuple[int, int] | None
    ) -> bool:
        """Whether a second entry says the same: mix packs what an overlay put into `bin` twice."""
        if entry != other or place is None:
            return entry == other
        with _Range(self._spool.fileno(), *place) as before, self.open(path) as after:
            return before.readall() == after.read()

    def _path(self, name: str) -> str:
        """A name as a path of a tree. An absolute one, or one with `..`, is none."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts:
            raise self._wrong(f"the path {show_path(name)} leads out of it")
        return "/".join(parts)

    def _check_parents(self, found: Mapping[str, Entry], folders: Iterable[str]) -> None:
        for path in (*_parents(found), *folders, *_parents(folders)):
            if path in found:
                raise self._wrong(f"{show_path(path)} is in it as a folder and as something else")

    def _rooted(self, found: dict[str, Entry]) -> dict[str, Entry]:
        """`tar -czf X.tar.gz NAME` puts all below one folder: then that is the tree's top."""
        tops = {path.partition("/")[0] for path in found}
        if START_DATA in found or len(tops) != 1:
            return found
        start = f"{tops.pop()}/"
        if f"{start}{START_DATA}" not in found:
            return found
        self._places = {path.removeprefix(start): at for path, at in self._places.items()}
        return {path.removeprefix(start): entry for path, entry in found.items()}

    def _wrong(self, problem: str) -> ReleaseError:
        return ReleaseError(f"{self.name}: {problem}", hint=HINT)


class _Headers(io.RawIOBase):
    """The decompressed archive for tarfile, which is to read headers of it and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Range(io.RawIOBase):
    """Some bytes of a file as a file; its own position, so that many can be read at once."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        # A descriptor of its own: it may be read after the archive is forgotten.
        self._descriptor = os.dup(descriptor)
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(self._size - self._at, 0))
        data = os.pread(self._descriptor, wanted, self._start + self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise OSError(22, os.strerror(22))
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _parents(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder:
            yield folder
            folder = folder.rpartition("/")[0]


def _kind(member: tarfile.TarInfo) -> str:
    if member.isfifo():
        return "a fifo"
    if member.isdev():
        return "a device"
    if member.issparse():
        return "a sparse file"
    return "something that tar has no name for"
