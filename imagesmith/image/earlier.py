"""The earlier image of `--append-to`, as its registry has it: layers, and the list of its files.

The list lies beside the image built in full, as a referrer. Where there is none its layers are
fetched, once, to make it; those that were appended since are small, and read each time.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from imagesmith.base.imageroot import ImageRoot
from imagesmith.beam.tree import CHUNK_BYTES
from imagesmith.errors import RegistryError
from imagesmith.image.append import PLAIN, WHITEOUT, Earlier
from imagesmith.image.filelist import (
    ARTIFACT,
    MEDIA_TYPE,
    FileList,
    list_image,
    pack,
    unpack,
)
from imagesmith.image.history import layer_names
from imagesmith.layer.label import read_label
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FolderMember, parents
from imagesmith.oci.blob import Source
from imagesmith.oci.reference import ImageName
from imagesmith.oci.referrers import push_referrer, referrers
from imagesmith.oci.registry import Registry
from imagesmith.oci.remote import RemoteImage, remote_image
from imagesmith.oci.repository import Repository
from imagesmith.oci.spec import Descriptor, Platform, contents

__all__ = ["Fetch", "push_list", "read_earlier"]

Fetch = Callable[[Repository, Descriptor], BinaryIO]
"""Brings a blob to this machine."""


def read_earlier(
    registry: Registry,
    reference: str,
    platform: Platform,
    folder: str,
    fetch: Fetch,
    *,
    keep: bool = False,
) -> Earlier | None:
    """The image of a reference, its release under `folder`; None if there is none.

    A list that had to be made is put beside it with `keep`, if the registry lets us. Raises
    RegistryError, and BaseError for layers that are damaged.
    """
    name = ImageName.parse(reference)
    repository = registry.repository(name.repository)
    image = remote_image(repository, name.wanted, platform)
    if image is None:
        return None
    plain = image
    bottom = image.annotations.get(PLAIN, image.descriptor.digest)
    if bottom != image.descriptor.digest:
        found = remote_image(repository, bottom, platform)
        if found is None or found.diff_ids != image.diff_ids[: len(found.diff_ids)]:
            raise RegistryError(
                f"{reference}: the image that it was appended to, {bottom}, is not there",
                hint="Build without --append-to.",
            )
        plain = found
    appended = len(image.layers) - len(plain.layers)
    layers = _layers(image, fetch)
    listed = _list_beside(plain)
    if listed is None:
        listed = _list_within(layers[: len(plain.layers)], folder, reference)
        if keep:
            with suppress(RegistryError):
                push_list(repository, plain.descriptor, listed)
    files = dict(listed)
    for layer in layers[len(plain.layers) :]:
        _apply(files, layer, folder)
    return Earlier(reference, bottom, layers, appended, files)


def push_list(repository: Repository, subject: Descriptor, files: FileList) -> None:
    """Put the list of an image's files beside it. Raises RegistryError."""
    blob = pack(files)
    source = Source(Descriptor.of(MEDIA_TYPE, blob), partial(io.BytesIO, blob))
    push_referrer(repository, subject, ARTIFACT, [source])


def _layers(image: RemoteImage, fetch: Fetch) -> tuple[Layer, ...]:
    keys = read_label(image.labels, image.diff_ids)
    names = layer_names(image.config, len(image.layers), str(image.repository))
    return tuple(
        Layer(
            *named,
            diff_id,
            blob,
            partial(fetch, image.repository, blob),
            keys.get(diff_id),
            (str(image.repository),),
            str(image.repository),
        )
        for named, blob, diff_id in zip(names, image.layers, image.diff_ids, strict=True)
    )


def _list_beside(plain: RemoteImage) -> FileList | None:
    repository, digest = plain.repository, plain.descriptor.digest
    for artifact in referrers(repository, digest, ARTIFACT):
        document = repository.document(artifact)
        _, blobs = contents(document, f"{repository}: {artifact.digest}")
        for blob in blobs:
            if blob.media_type == MEDIA_TYPE:
                data = b"".join(repository.chunks(blob))
                return unpack(data, f"{repository}: {blob.digest}")
    return None


def _list_within(layers: Sequence[Layer], folder: str, reference: str) -> FileList:
    with ImageRoot(layers, reference) as root:
        return list_image(root, folder)


def _apply(files: dict[str, str], layer: Layer, folder: str) -> None:
    """What an appended layer, which our own writer wrote, does to the list."""
    folders: dict[str, str] = {}
    for path, what in _changes(layer, folder):
        parent, _, name = path.rpartition("/")
        hidden = name.startswith(WHITEOUT)
        place = posixpath.join(parent, name.removeprefix(WHITEOUT)) if hidden else path
        if what.startswith("folder"):
            folders[path] = what
            files.pop(path, None)
            continue
        for old in [old for old in files if old == place or old.startswith(f"{place}/")]:
            del files[old]
        if not hidden:
            files[path] = what
    implied, usual = set(parents(files)), f"folder {FolderMember('').mode:o}"
    files |= {path: how for path, how in folders.items() if path not in implied or how != usual}


def _changes(layer: Layer, folder: str) -> Iterator[tuple[str, str]]:
    """Each entry under `folder` of the layer's tar, as a list has it."""
    prefix = f"{folder}/"
    # tarfile's own gzip stream ends after the first member.
    with (
        layer.open() as blob,
        gzip.GzipFile(fileobj=blob) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        for item in tar:
            path = item.name.removeprefix(prefix)
            if path == item.name:
                continue
            if item.issym():
                yield path, f"link {item.linkname}"
            elif item.isdir():
                yield path, f"folder {item.mode:o}"
            else:
                file = tar.extractfile(item)
                assert file is not None
                content = Content.of(partial(iter, partial(file.read, CHUNK_BYTES), b""))
                yield path, f"file {item.mode:o} {content.sha256}"
