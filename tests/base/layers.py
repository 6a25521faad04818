"""Layers whose tars Python's tarfile has written: an oracle for what reads them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from imagesmith.base.imageroot import ImageRoot
from imagesmith.layer.layer import Layer
from imagesmith.layer.split import Group
from imagesmith.oci.spec import Descriptor, MediaType, digest_of

Item = tarfile.TarInfo
Named = tuple[Item, bytes]


def file(path: str, data: bytes = b"", mode: int = 0o644) -> Named:
    item = Item(path)
    item.size, item.mode = len(data), mode
    return item, data


def folder(path: str, mode: int = 0o755) -> Named:
    item = Item(path)
    item.type, item.mode = tarfile.DIRTYPE, mode
    return item, b""


def link(path: str, target: str) -> Named:
    item = Item(path)
    item.type, item.linkname = tarfile.SYMTYPE, target
    return item, b""


def hard(path: str, target: str) -> Named:
    item = Item(path)
    item.type, item.linkname = tarfile.LNKTYPE, target
    return item, b""


def archive(items: Iterable[Named], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as to:
        for item, data in items:
            to.addfile(item, io.BytesIO(data))
    return out.getvalue()


def tree(root: Path, keep: Callable[[Path], bool] = lambda _: True) -> bytes:
    """A folder of this machine."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as to:
        for path in sorted(root.rglob("*")):
            if keep(path):
                to.add(path, f"./{path.relative_to(root)}", recursive=False)
    return out.getvalue()


def layer(*items: Named, kind: str = MediaType.LAYER_GZIP) -> Layer:
    return as_layer(archive(items), kind)


def as_layer(tar: bytes, kind: str = MediaType.LAYER_GZIP, blob: bytes | None = None) -> Layer:
    """A layer of this tar; `blob` takes the place of what it should be compressed."""
    if blob is None:
        blob = gzip.compress(tar) if kind == MediaType.LAYER_GZIP else tar
    diff_id = f"sha256:{hashlib.sha256(tar).hexdigest()}"
    descriptor = Descriptor(kind, digest_of(blob), len(blob))
    return Layer(Group.BASE, "made", diff_id, descriptor, partial(io.BytesIO, blob))


def root(*layers: Layer) -> ImageRoot:
    return ImageRoot(layers, "image")


def listing(image: ImageRoot, path: str = "") -> dict[str, str]:
    """Every path: a file's text, a link's target, `/` for a folder."""
    found: dict[str, str] = {}
    for name in image.names(path or "/"):
        here = f"{path}/{name}"
        entry = image.entry(here)
        assert entry
        if entry.target:
            found[here] = f"-> {entry.target}"
        elif image.file(here):
            found[here] = image.text(here) or ""
        else:
            found[here] = "/"
            found |= listing(image, here)
    return found
