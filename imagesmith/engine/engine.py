"""What an engine is, and where an image can go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from imagesmith.image.image import Image

__all__ = [
    "ArchiveOutput",
    "Delivery",
    "Engine",
    "LayoutOutput",
    "LoadOutput",
    "Output",
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


Output = LayoutOutput | ArchiveOutput | LoadOutput


@dataclass(frozen=True, slots=True)
class Delivery:
    """An image and the references (`name:tag`) that it gets."""

    image: Image
    tags: tuple[str, ...] = field(default=())


class Engine(Protocol):
    """Takes finished images and puts them where the user wants them."""

    @property
    def name(self) -> str:
        """What `--engine` calls it."""

    def deliver(self, deliveries: Sequence[Delivery], output: Output) -> list[str]:
        """Deliver the images, all or none.

        Returns for each what a user can give to the next command: a reference, or
        `PATH@DIGEST`. Raises OutputError or DockerError.
        """
