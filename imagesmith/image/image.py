"""What an image is: layers, a configuration and a manifest, all of known digest."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from imagesmith.image.history import history_line
from imagesmith.layer.layer import Layer
from imagesmith.oci.layout import Source
from imagesmith.oci.spec import Config, Descriptor, MediaType, manifest, to_bytes

__all__ = ["Image", "make_image"]


@dataclass(frozen=True, slots=True)
class Image:
    """A finished image. `name` and `version` are what it is called where no tag says otherwise."""

    name: str
    version: str
    layers: tuple[Layer, ...]
    config: bytes
    manifest: bytes
    descriptor: Descriptor

    @property
    def digest(self) -> str:
        """The manifest's digest: the image's own."""
        return self.descriptor.digest

    @property
    def config_descriptor(self) -> Descriptor:
        """The configuration's descriptor; its digest is the image ID of Docker's classic store."""
        return Descriptor.of(MediaType.CONFIG, self.config)

    @property
    def size(self) -> int:
        """Bytes of all layers as compressed."""
        return sum(layer.descriptor.size for layer in self.layers)

    def blobs(self) -> Iterator[Source]:
        """Everything that a registry or a layout has to hold: layers, configuration, manifest."""
        for layer in self.layers:
            yield Source(layer.descriptor, layer.open, layer.holders)
        yield Source(self.config_descriptor, partial(io.BytesIO, self.config))
        yield Source(self.descriptor, partial(io.BytesIO, self.manifest))


def make_image(
    name: str,
    version: str,
    config: Config,
    layers: Sequence[Layer],
    annotations: Mapping[str, str],
) -> Image:
    """Put the layers under a configuration; its `diff_ids` and `history` follow from them."""
    complete = replace(
        config,
        diff_ids=tuple(layer.diff_id for layer in layers),
        history=tuple(map(history_line, layers)),
    )
    data = to_bytes(complete.to_json())
    document = manifest(
        Descriptor.of(MediaType.CONFIG, data), [layer.descriptor for layer in layers], annotations
    )
    descriptor = replace(Descriptor.of(MediaType.MANIFEST, document), platform=config.platform)
    return Image(name, version, tuple(layers), data, document, descriptor)
