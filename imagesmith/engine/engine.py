"""What an engine is, and where an image can go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imagesmith.image.image import Image
from imagesmith.oci.spec import Descriptor

if TYPE_CHECKING:
    from imagesmith.oci.push import PushedBlobs

__all__ = [
    "ArchiveOutput",
    "Delivered",
    "Delivery",
    "Engine",
    "LayoutOutput",
    "LoadOutput",
    "Output",
    "RegistryOutput",
]


@dataclass(frozen=True, slots=True)
class LayoutOutput:
    """An OCI layout: a folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class ArchiveOutput:
    """A tar of an OCI layout; with `docker`, one that every `docker load` reads."""

    path: Path
    docker: bool = False


@dataclass(frozen=True, slots=True)
class LoadOutput:
    """The image store of the Docker that answers."""


@dataclass(frozen=True, slots=True)
class RegistryOutput:
    """The registries that the tags name."""


Output = LayoutOutput | ArchiveOutput | LoadOutput | RegistryOutput


@dataclass(frozen=True, slots=True)
class Delivery:
    """An image and the references (`name:tag`) that it gets."""

    image: Image
    tags: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Delivered:
    """An image where it was wanted.

    `reference` is what a user gives to the next command: a reference, an image ID, or
    `PATH@DIGEST`. The digests are those of the image there: BuildKit writes a configuration, and
    so a manifest, of its own. `pushed` counts the blobs of the whole push that
    this image was part of, if the embedded engine made it.
    """

    reference: str
    descriptor: Descriptor
    config_digest: str
    pushed: PushedBlobs | None = None


class Engine(Protocol):
    """Takes finished images and puts them where the user wants them."""

    @property
    def name(self) -> str:
        """What `--engine` calls it."""

    def deliver(self, deliveries: Sequence[Delivery], output: Output) -> list[Delivered]:
        """Deliver the images, in their order. Raises OutputError, DockerError,
        RegistryError or UsageError."""
