"""The OCI image layout: a folder of blobs with an index (OCI "Image Layout").

oci-layout      {"imageLayoutVersion": "1.0.0"}
index.json      the manifests; the annotation `org.opencontainers.image.ref.name` is the tag
blobs/sha256/   every blob, named by its digest
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagesmith.errors import BaseError, OutputError
from imagesmith.oci.spec import Descriptor, array, index, object_of, parse, to_bytes

__all__ = ["LAYOUT_FILE", "REF_NAME", "Layout", "Source", "check_target", "write_layout"]

LAYOUT_FILE = to_bytes({"imageLayoutVersion": "1.0.0"})
REF_NAME = "org.opencontainers.image.ref.name"
CHUNK_BYTES = 1 << 20
MAX_DOCUMENT_BYTES = 4 << 20  # what registries allow a manifest


class Layout:
    """A layout to read. Every blob is checked against its descriptor as it is read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            marker = parse((root / "oci-layout").read_bytes(), f"{root}/oci-layout")
            document = parse((root / "index.json").read_bytes(), f"{root}/index.json")
        except OSError:
            raise BaseError(f"{root}: this is no OCI layout: no oci-layout, index.json") from None
        if marker.get("imageLayoutVersion") != "1.0.0":
            raise BaseError(f"{root}/oci-layout: only imageLayoutVersion 1.0.0 is known")
        place = f"{root}/index.json: manifests"
        self.manifests = [
            Descriptor.from_json(item, f"{place}[{number}]")
            for number, item in enumerate(array(document.get("manifests"), place))
        ]

    def path(self, digest: str) -> Path:
        """Where the blob of this digest lies."""
        return self.root / "blobs" / digest.replace(":", "/")

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The blob, unchecked. Raises BaseError if it is missing."""
        try:
            return self.path(descriptor.digest).open("rb")
        except OSError as error:
            raise BaseError(f"{self.root}: blob {descriptor.digest}: {error.strerror}") from None

    def document(self, descriptor: Descriptor) -> bytes:
        """A small blob, checked by size and digest. Raises BaseError if it is another."""
        if descriptor.size > MAX_DOCUMENT_BYTES:
            raise BaseError(f"{self.root}: blob {descriptor.digest} is too large for a document")
        with self.open(descriptor) as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
        if Descriptor.of(descriptor.media_type, data).digest != descriptor.digest:
            raise BaseError(f"{self.root}: blob {descriptor.digest} is damaged")
        return data

    def reachable(self) -> set[str]:
        """The digests of every blob that the index leads to. Raises BaseError if one is broken."""
        return {digest for item in self.manifests for digest in self._below(item)}

    def _below(self, descriptor: Descriptor) -> Iterator[str]:
        yield descriptor.digest
        document = parse(self.document(descriptor), f"{self.root}: {descriptor.digest}")
        key = "manifests" if "manifests" in document else "layers"
        for number, item in enumerate(array(document.get(key), key)):
            child = Descriptor.from_json(item, f"{descriptor.digest}: {key}[{number}]")
            if key == "manifests":
                yield from self._below(child)
            else:
                yield child.digest
        if "config" in document:
            config = object_of(document["config"], f"{descriptor.digest}: config")
            yield Descriptor.from_json(config, f"{descriptor.digest}: config").digest


@dataclass(frozen=True, slots=True)
class Source:
    """A blob to write, and how to read it."""

    descriptor: Descriptor
    open: Callable[[], BinaryIO]


def write_layout(root: Path, blobs: Iterable[Source], manifests: Sequence[Descriptor]) -> None:
    """Make `root` a layout that holds the manifests, or add them to the layout that it is.

    Everything is written beside `root` first, so a failure or a kill leaves what was there. In an
    existing layout, a manifest takes the place of the one that has its annotations (its names),
    and blobs that only the replaced one led to are removed. Two writers take turns.

    Raises OutputError if `root` holds something else, or the disk refuses.
    """
    try:
        check_target(root)
        with _staging(root) as stage:
            (stage / "blobs/sha256").mkdir(parents=True)
            for blob in blobs:
                _write_blob(stage, blob)
            (stage / "oci-layout").write_bytes(LAYOUT_FILE)
            (stage / "index.json").write_bytes(index(manifests))
            if not _renamed(stage, root):
                _merge(stage, root, manifests)
    except OSError as error:
        raise OutputError(f"{root}: cannot be written: {error.strerror or error}") from None


def check_target(root: Path) -> None:
    """Raise OutputError unless `root` is absent, an empty folder or an OCI layout."""
    if not root.is_symlink() and not root.exists():
        return
    if not root.is_dir():
        raise OutputError(f"{root}: there is a file of this name", hint="Choose another dest.")
    held = sorted(path.name for path in root.iterdir())
    if held and "oci-layout" not in held:
        shown = ", ".join(held[:3]) + (", …" if len(held) > 3 else "")
        raise OutputError(
            f"{root}: this folder is no OCI layout, and not empty (it holds {shown})",
            hint="Choose another dest, or remove the folder if nobody needs it.",
        )


@contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """A folder beside `root`, gone at the end; those that a killed build left are removed too.

    A lock tells a living build's folder from a dead one's.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{root.name}.imagesmith-"
    for left in root.parent.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError), _locked(left, wait=False):
            shutil.rmtree(left, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=prefix, dir=root.parent))
    try:
        stage.chmod(0o755)
        with _locked(stage, wait=True):
            yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold flock(2) on a folder itself: no lock file to leave behind."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _write_blob(stage: Path, blob: Source) -> None:
    """Copy a blob, checking digest and size on the way: a damaged one never reaches a layout."""
    wanted = blob.descriptor
    path = stage / "blobs" / wanted.digest.replace(":", "/")
    if path.exists():
        return
    digest, size = hashlib.sha256(), 0
    with blob.open() as source, path.open("xb") as to:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            to.write(chunk)
    if (f"sha256:{digest.hexdigest()}", size) != (wanted.digest, wanted.size):
        raise OutputError(
            f"blob {wanted.digest} is damaged: read {size} bytes of sha256:{digest.hexdigest()}"
        )


def _renamed(stage: Path, root: Path) -> bool:
    """Put the whole stage in place, where there is nothing yet or an empty folder."""
    try:
        stage.rename(root)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    return True


def _merge(stage: Path, root: Path, manifests: Sequence[Descriptor]) -> None:
    with _locked(root, wait=True):
        before = Layout(root)
        reached = before.reachable()
        names = [item.annotations for item in manifests]
        kept = [item for item in before.manifests if item.annotations not in names]
        (root / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        for path in (stage / "blobs/sha256").iterdir():
            path.replace(root / "blobs/sha256" / path.name)
        (stage / "index.json").write_bytes(index([*kept, *manifests]))
        (stage / "index.json").replace(root / "index.json")
        for digest in reached - Layout(root).reachable():
            before.path(digest).unlink(missing_ok=True)
