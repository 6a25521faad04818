"""The BuildKit engine: the user's own Docker takes over the blobs that it lacks.

The image is finished before: BuildKit gets it as an OCI layout, under the name `release`, and
builds a Dockerfile of one line on it. So its layers are, byte for byte, those of the embedded
engine; the configuration says the same, but BuildKit writes it anew, and the digest is another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from imagesmith.docker.buildx import Build, BuildKit, Tell, run_build
from imagesmith.docker.client import Docker
from imagesmith.engine.embedded import EmbeddedEngine
from imagesmith.engine.engine import (
    ArchiveOutput,
    Delivered,
    Delivery,
    LayoutOutput,
    LoadOutput,
    Output,
    RegistryOutput,
)
from imagesmith.errors import DockerError
from imagesmith.image.image import Image
from imagesmith.oci.layout import Layout, write_layout
from imagesmith.oci.spec import Descriptor, Json, contents, object_of, parse

__all__ = ["BuildKitEngine"]

DOCKERFILE = "FROM release\n"

Run = Callable[[Build, Tell], Mapping[str, Json]]


class BuildKitEngine:
    """Delivers through `docker buildx build`."""

    name = "buildkit"

    def __init__(
        self, buildkit: BuildKit, docker: Docker, tell: Tell, run: Run = run_build
    ) -> None:
        self._buildkit = buildkit
        self._docker = docker
        self._tell = tell
        self._run = run

    def deliver(self, deliveries: Sequence[Delivery], output: Output) -> list[Delivered]:
        """See Engine."""
        if not self._buildkit.takes_layouts:
            return self._without_layouts(deliveries, output)
        with tempfile.TemporaryDirectory(prefix="imagesmith-") as folder:
            layout = Path(folder) / "release"
            blobs = {
                blob.descriptor.digest: blob for item in deliveries for blob in item.image.blobs()
            }
            write_layout(layout, blobs.values(), [item.image.descriptor for item in deliveries])
            match output:
                case LoadOutput():
                    return [self._loaded(item, layout) for item in deliveries]
                case RegistryOutput():
                    return [self._pushed(item, layout) for item in deliveries]
                case LayoutOutput() | ArchiveOutput():
                    built = [
                        replace(
                            item, image=self._exported(item, layout, Path(folder) / str(number))
                        )
                        for number, item in enumerate(deliveries)
                    ]
                    return EmbeddedEngine(self._docker).deliver(built, output)

    def _without_layouts(self, deliveries: Sequence[Delivery], output: Output) -> list[Delivered]:
        """Docker's classic image store knows no OCI layouts, but `docker load` takes archives."""
        if isinstance(output, RegistryOutput):
            raise DockerError(
                "this Docker cannot push the image as it is: its classic image store would write "
                "the layers anew",
                hint="Turn on the containerd image store (`features: containerd-snapshotter` in "
                "daemon.json), or make a builder of its own: `docker buildx create --use`.",
            )
        self._tell("the classic image store takes no OCI layout: using docker load")
        return EmbeddedEngine(self._docker).deliver(deliveries, output)

    def _loaded(self, item: Delivery, layout: Path) -> Delivered:
        found = self._build(item, layout, {"type": "docker"}, item.tags)
        reference = self._docker.reference(
            item.tags[0], found.descriptor.digest, found.config_digest
        )
        return replace(found, reference=reference)

    def _pushed(self, item: Delivery, layout: Path) -> Delivered:
        return self._build(item, layout, {"type": "registry", "oci-mediatypes": "true"}, item.tags)

    def _exported(self, item: Delivery, layout: Path, to: Path) -> Image:
        """The image as BuildKit writes it: our layers under its manifest and configuration."""
        self._build(item, layout, {"type": "oci", "tar": "false", "dest": str(to)}, ())
        found = Layout(to)
        descriptor = replace(found.manifests[0], annotations={})
        manifest = found.document(descriptor)
        config, layers = contents(manifest, f"BuildKit's image {descriptor.digest}")
        if [layer.digest for layer in layers] != [
            layer.descriptor.digest for layer in item.image.layers
        ]:
            raise DockerError("BuildKit has written the layers anew, so the image is not ours")
        return replace(
            item.image, config=found.document(config), manifest=manifest, descriptor=descriptor
        )

    def _build(
        self, item: Delivery, layout: Path, output: Mapping[str, str], tags: Sequence[str]
    ) -> Delivered:
        metadata = self._run(
            Build(
                DOCKERFILE,
                {**output, **_annotations(item.image)},
                contexts={"release": f"oci-layout://{layout}@{item.image.digest}"},
                tags=tags,
                platform=str(item.image.descriptor.platform),
            ),
            self._tell,
        )
        descriptor = Descriptor.from_json(
            metadata.get("containerimage.descriptor"), "buildx metadata"
        )
        reference = f"{tags[0]}@{descriptor.digest}" if tags else descriptor.digest
        return Delivered(reference, descriptor, str(metadata.get("containerimage.config.digest")))


def _annotations(image: Image) -> dict[str, str]:
    """The manifest's annotations as an exporter takes them: BuildKit writes its own manifest."""
    found = object_of(parse(image.manifest, "manifest").get("annotations") or {}, "annotations")
    return {f"annotation.{key}": str(value) for key, value in found.items()}
