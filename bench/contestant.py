"""What is compared: a way to make an image of a release, at one sink."""

from __future__ import annotations

import tarfile
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bench.process import Measured, run

__all__ = ["Contestant", "Sink", "blobs", "forget_builds"]


class Sink(StrEnum):
    """Where the image goes."""

    OCI = "type=oci"
    LOAD = "loaded"


class Contestant(Protocol):
    """One builder at one sink."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    @property
    def sink(self) -> Sink:
        """Where it puts the image."""

    @property
    def archive(self) -> Path | None:
        """The OCI archive that it writes, if it writes one."""

    def forget(self) -> None:
        """Before a cold build: no cache, and no earlier image."""

    def prepare(self, release: Path) -> None:
        """What its user has done by the time of the build; not measured."""

    def build(self) -> Measured:
        """Make the image."""


def forget_builds(image: str) -> None:
    """Empty BuildKit's cache, and remove an image."""
    if run("docker", "image", "ls", "--quiet", image):
        run("docker", "image", "rm", "--force", image)
    run("docker", "builder", "prune", "--all", "--force")


def blobs(archive: Path) -> dict[str, int]:
    """Every blob of an OCI archive and its size: layers, configurations, manifests."""
    with tarfile.open(archive) as tar:
        return {
            member.name.removeprefix("blobs/").replace("/", ":"): member.size
            for member in tar
            if member.isfile() and member.name.startswith("blobs/")
        }
