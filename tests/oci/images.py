"""Small images, whole and real, and sources of blobs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from imagesmith.image.image import Image, make_image
from imagesmith.layer.gzip import write_gzip
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember
from imagesmith.layer.split import Group
from imagesmith.layer.tar import tar
from imagesmith.oci.archive import DockerImage
from imagesmith.oci.layout import CONTAINERD_NAME, REF_NAME, Source
from imagesmith.oci.spec import Config, Descriptor, MediaType, Platform

CREATED = "1980-01-01T00:00:00Z"


def make_layer(text: str) -> Layer:
    """A layer with one file."""
    packed = io.BytesIO()
    members = [FileMember("app/text", Content.of_bytes(text.encode()))]
    diff_id, digest, size = write_gzip(tar(members), packed)

    def read() -> BinaryIO:
        return io.BytesIO(packed.getvalue())

    blob = Descriptor(MediaType.LAYER_GZIP, f"sha256:{digest}", size)
    return Layer(Group.OWN, "text", f"sha256:{diff_id}", blob, read)


def make(*texts: str, architecture: str = "amd64") -> Image:
    """An image with a layer for each text, and every setting that we write."""
    config = Config(
        platform=Platform(architecture),
        created=CREATED,
        env={"PATH": "/bin", "LANG": "C.UTF-8"},
        labels={"org.opencontainers.image.title": "shop", "maker": "Käthe"},
        entrypoint=("/bin/tini",),
        command=("/app/bin/shop", "start"),
        working_dir="/app",
        user="65532:65532",
        ports=("4000/tcp",),
        stop_signal="SIGTERM",
    )
    layers = [make_layer(text) for text in texts]
    return make_image("shop", "1", config, layers, {"org.opencontainers.image.version": "1"})


def tagged(image: Image, tag: str, full: str | None = None) -> Descriptor:
    """The image's entry in an index."""
    names = {REF_NAME: tag} | ({CONTAINERD_NAME: full} if full else {})
    return replace(image.descriptor, annotations=names)


def source(data: bytes, descriptor: Descriptor | None = None) -> Source:
    """A blob of these bytes, whatever the descriptor promises."""
    wanted = descriptor or Descriptor.of(MediaType.LAYER_GZIP, data)
    return Source(wanted, partial(io.BytesIO, data))


def docker_image(image: Image, tags: Sequence[str]) -> DockerImage:
    """The image's entry in `manifest.json`."""
    digests = [layer.descriptor.digest for layer in image.layers]
    return DockerImage(image.config_descriptor.digest, digests, tags)
