"""What `build` does with a finished image: its tags, where it goes, what is written of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.cli.output import parse_output
from imagesmith.docker.client import Docker
from imagesmith.engine.embedded import EmbeddedEngine
from imagesmith.engine.engine import (
    Delivered,
    Delivery,
    Engine,
    LayoutOutput,
    LoadOutput,
    Output,
    RegistryOutput,
)
from imagesmith.errors import OutputError, UsageError
from imagesmith.image.image import Image
from imagesmith.oci.layout import check_target
from imagesmith.oci.reference import Reference

if TYPE_CHECKING:
    from imagesmith.layer.cache import Cache
    from imagesmith.oci.registry import Registry

__all__ = [
    "checked_tags",
    "deliver",
    "deliver_cache",
    "filled_in",
    "image_tags",
    "note_holders",
    "wanted_outputs",
    "write_metadata",
    "write_whole",
]


def checked_tags(tags: Sequence[str], images: int, option: str = "-t") -> list[str]:
    """The values of `-t` or another option, for so many images. Raises UsageError."""
    for tag in tags:
        if images > 1 and "{release}" not in tag:
            raise UsageError(
                f"{option} {tag}: {images} images cannot have one name",
                hint="Write {release} where each one's own name shall stand: "
                f"{option} registry.example/{{release}}:{{version}}",
            )
        Reference.parse(tag.replace("{release}", "name").replace("{version}", "1"))
    return list(dict.fromkeys(tags))


def image_tags(tags: Sequence[str], image: Image) -> tuple[str, ...]:
    """An image's own tags, names and versions filled in."""
    return tuple(
        filled_in(tag, image.name, image.version) for tag in tags or ["{release}:{version}"]
    )


def filled_in(tag: str, name: str, version: str) -> str:
    """The tag of an image of this name and version."""
    # A version may have a + (semver.org, "build metadata"), a tag may not.
    return tag.replace("{release}", name).replace("{version}", version.replace("+", "-"))


def wanted_outputs(texts: Sequence[str], *, load: bool, push: bool) -> list[Output]:
    """Where to; where the user did not say it, into the Docker that answers.

    An empty list means: nowhere, so a layout an image. Raises UsageError, and OutputError for a
    place that holds something else: before any work is done.
    """
    outputs = [parse_output(text) for text in texts]
    if load and LoadOutput() not in outputs:
        outputs.append(LoadOutput())
    if push and RegistryOutput() not in outputs:
        outputs.append(RegistryOutput())
    for output in outputs:
        if isinstance(output, LayoutOutput):
            check_target(output.path)
    if not outputs and Docker().version():
        return [LoadOutput()]
    return outputs


def deliver(
    engine: Engine, deliveries: Sequence[Delivery], outputs: Sequence[Output]
) -> list[Delivered]:
    """Every image to every output, one output after the other."""
    if outputs:
        return [item for output in outputs for item in engine.deliver(deliveries, output)]
    return [
        delivered
        for item in deliveries
        for delivered in engine.deliver([item], LayoutOutput(Path(f"{item.image.name}.oci")))
    ]


def deliver_cache(
    deliveries: Sequence[Delivery], references: Sequence[str], connect: Callable[[], Registry]
) -> list[Delivered]:
    """Push the images to where `--cache-to` wants them: an image is its own cache."""
    if not references:
        return []
    images = [replace(item, tags=image_tags(references, item.image)) for item in deliveries]
    return EmbeddedEngine(Docker(), connect).deliver(images, RegistryOutput())


def note_holders(cache: Cache, deliveries: Sequence[Delivery]) -> None:
    """Note which repositories now hold which layers: the next ones mount them from there."""
    for item in deliveries:
        repositories = {Reference.parse(tag).repository for tag in item.tags}
        for key in {layer.key for layer in item.image.layers if layer.key}:
            for repository in sorted(repositories):
                cache.holds(key, repository)


def write_metadata(
    path: Path, deliveries: Sequence[Delivery], delivered: Sequence[Delivered]
) -> None:
    """What buildx's `--metadata-file` holds; by release where there are several."""
    documents = {
        item.image.name: {
            "containerimage.config.digest": found.config_digest,
            "containerimage.descriptor": found.descriptor.to_json(),
            "containerimage.digest": found.descriptor.digest,
            "image.name": ",".join(item.tags),
        }
        for item, found in zip(deliveries, delivered, strict=True)
    }
    document = documents if len(documents) > 1 else next(iter(documents.values()))
    write_whole(path, json.dumps(document, indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a small file whole or not at all. Raises OutputError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
