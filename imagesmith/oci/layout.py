"""The OCI image layout: a folder of blobs with an index (OCI "Image Layout").

oci-layout      {"imageLayoutVersion": "1.0.0"}
index.json      the manifests; the annotation `org.opencontainers.image.ref.name` is the tag
blobs/sha256/   every blob, named by its digest
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from imagesmith.errors import BaseError, OutputError
from imagesmith.oci.blob import Source
from imagesmith.oci.spec import Descriptor, Json, array, index, object_of, parse, to_bytes

__all__ = [
    "CONTAINERD_NAME",
    "LAYOUT_FILE",
    "REF_NAME",
    "Layout",
    "Source",
    "check_target",
    "write_layout",
]

LAYOUT_FILE = to_bytes({"imageLayoutVersion": "1.0.0"})
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
"""The full reference; BuildKit's exporters write it, containerd's importer reads it."""

STAGE = ".imagesmith-"
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
        self.index = document
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
        found = Descriptor.of(descriptor.media_type, data)
        if (found.digest, found.size) != (descriptor.digest, descriptor.size):
            raise BaseError(f"{self.root}: blob {descriptor.digest} is damaged")
        return data

    def reachable(self) -> set[str]:
        """The digests of every blob that the index leads to. Raises BaseError if one is broken."""
        return {digest for item in self.manifests for digest in self.below(item)}

    def below(self, descriptor: Descriptor) -> Iterator[str]:
        """The digests of a manifest or index, and of every blob that it leads to."""
        yield descriptor.digest
        document = parse(self.document(descriptor), f"{self.root}: {descriptor.digest}")
        key = "manifests" if "manifests" in document else "layers"
        for number, item in enumerate(array(document.get(key), key)):
            child = Descriptor.from_json(item, f"{descriptor.digest}: {key}[{number}]")
            if key == "manifests":
                yield from self.below(child)
            else:
                yield child.digest
        if "config" in document:
            config = object_of(document["config"], f"{descriptor.digest}: config")
            yield Descriptor.from_json(config, f"{descriptor.digest}: config").digest


def write_layout(root: Path, blobs: Iterable[Source], manifests: Sequence[Descriptor]) -> None:
    """Make `root` a layout that holds the manifests, or add them to the layout that it is.

    Everything is staged first, so a failure or a kill leaves what was there. In an existing
    layout, a manifest takes the place of the one that has its names, and blobs that only the
    replaced one led to are removed. Two writers take turns.

    Raises OutputError if `root` holds something else, or the disk refuses.
    """
    try:
        check_target(root)
        root = root.resolve()
        # A folder that is there may be a mount point: nothing can be renamed onto it.
        within = root.is_dir()
        with _staging(root if within else root.parent, root.name) as stage:
            (stage / "blobs/sha256").mkdir(parents=True)
            for blob in blobs:
                _write_blob(stage, blob)
            (stage / "oci-layout").write_bytes(LAYOUT_FILE)
            (stage / "index.json").write_bytes(index(_told_apart([], manifests)))
            if within or not _renamed(stage, root):
                _merge(stage, root, manifests)
    except OSError as error:
        raise OutputError(f"{root}: cannot be written: {error.strerror or error}") from None


def check_target(root: Path) -> None:
    """Raise OutputError unless `root` is absent, an empty folder or an OCI layout."""
    if not root.exists():
        if root.is_symlink():
            raise OutputError(
                f"{root}: this symbolic link leads nowhere", hint="Choose another dest."
            )
        return
    if not root.is_dir():
        raise OutputError(f"{root}: there is a file of this name", hint="Choose another dest.")
    held = sorted(path.name for path in root.iterdir() if STAGE not in path.name)
    if held and "oci-layout" not in held:
        shown = ", ".join(held[:3]) + (", …" if len(held) > 3 else "")
        raise OutputError(
            f"{root}: this folder is no OCI layout, and not empty (it holds {shown})",
            hint="Choose another dest, or remove the folder if nobody needs it.",
        )


@contextmanager
def _staging(parent: Path, name: str) -> Iterator[Path]:
    """A folder in `parent`, gone at the end; those that a killed build left are removed too.

    A lock tells a living build's folder from a dead one's.
    """
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{name}{STAGE}"
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError), _locked(left, wait=False):
            shutil.rmtree(left, ignore_errors=True)
    with ExitStack() as held:
        stage = None
        while stage is None:
            made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            # Before it is locked, another build may take it for a dead one's: then make another.
            with suppress(FileNotFoundError, BlockingIOError):
                handle = held.enter_context(_locked(made, wait=False))
                stage = made if _is_same(made, handle) else None
        held.callback(shutil.rmtree, stage, ignore_errors=True)
        stage.chmod(0o755)
        yield stage


def _is_same(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[int]:
    """Hold flock(2) on a folder itself: no lock file to leave behind."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield handle
    finally:
        os.close(handle)


def _write_blob(stage: Path, blob: Source) -> None:
    """Copy a blob, checking digest and size on the way: a damaged one never reaches a layout."""
    path = stage / "blobs" / blob.descriptor.digest.replace(":", "/")
    if path.exists():
        return
    with path.open("xb") as to:
        for chunk in blob.chunks():
            to.write(chunk)


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
        # The mark comes first: a folder with it and no index is ours, half-way.
        if not (root / "oci-layout").exists():
            (stage / "oci-layout").replace(root / "oci-layout")
        if not (root / "index.json").exists():
            (root / "index.json").write_bytes(index([]))
        before = Layout(root)
        replaced = [
            item for item in before.manifests if any(_same_name(item, new) for new in manifests)
        ]
        left = [item for item in before.manifests if item not in replaced]
        entries = array(before.index.get("manifests"), "manifests")
        # As they were written: they may say more than we know of.
        kept = [
            entry
            for entry, item in zip(entries, before.manifests, strict=True)
            if item not in replaced
        ]
        (root / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        for path in (stage / "blobs/sha256").iterdir():
            path.replace(root / "blobs/sha256" / path.name)
        document: Mapping[str, Json] = {
            **before.index,
            "manifests": [*kept, *(item.to_json() for item in _told_apart(left, manifests))],
        }
        (stage / "index.json").write_bytes(to_bytes(document))
        (stage / "index.json").replace(root / "index.json")
        _remove_unreachable(before, replaced)


def _told_apart(left: Sequence[Descriptor], new: Sequence[Descriptor]) -> list[Descriptor]:
    """The new manifests, those with a tag that another image has named by `NAME:TAG`.

    Tools find an image in a layout by its tag alone, and take the first of two.
    """

    def is_shared(item: Descriptor) -> bool:
        tag = item.annotations.get(REF_NAME)
        others = (other for other in (*left, *new) if other.digest != item.digest)
        return any(other.annotations.get(REF_NAME) == tag for other in others)

    def named(item: Descriptor) -> Descriptor:
        full = item.annotations.get(CONTAINERD_NAME)
        if full is None or not is_shared(item):
            return item
        short = full.removeprefix("docker.io/").removeprefix("library/")
        return replace(item, annotations={**item.annotations, REF_NAME: short})

    return [named(item) for item in new]


def _same_name(old: Descriptor, new: Descriptor) -> bool:
    """Whether both have one name; where a tool wrote no full reference, the tag has to do."""
    full = [item.annotations.get(CONTAINERD_NAME) for item in (old, new)]
    if all(full):
        return full[0] == full[1]
    return old.annotations.get(REF_NAME) == new.annotations.get(REF_NAME)


def _remove_unreachable(before: Layout, replaced: Iterable[Descriptor]) -> None:
    """Remove what only the replaced manifests led to.

    Where a manifest is damaged or missing nobody knows what is still needed, and nothing goes.
    """
    with suppress(BaseError):
        old = {digest for item in replaced for digest in before.below(item)}
        for digest in old - Layout(before.root).reachable():
            before.path(digest).unlink(missing_ok=True)
