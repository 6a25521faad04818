"""Pushes through the Python API, by somebody who does not wait long."""

from __future__ import annotations

import base64
import random

from imagesmith.image.image import Image
from imagesmith.oci.credentials import Credentials
from imagesmith.oci.patience import Patience
from imagesmith.oci.push import PushedBlobs, Wanted, push_images
from imagesmith.oci.reference import Reference
from imagesmith.oci.registry import Registry

__all__ = ["IMPATIENT", "noise", "push", "registry_client"]

IMPATIENT = Patience(connect=2, silence=1.0, tries=3, first_pause=0.001, longest_pause=0.01)


def registry_client(
    credentials: Credentials | None = None, patience: Patience = IMPATIENT
) -> Registry:
    """The registries of one run."""
    return Registry(credentials, patience=patience, certificates=())


def push(
    image: Image,
    *references: str,
    credentials: Credentials | None = None,
    patience: Patience = IMPATIENT,
) -> PushedBlobs:
    """Push an image by its references, each with a host. Raises RegistryError."""
    *blobs, _ = image.blobs()
    tags = [Reference.parse(reference) for reference in references]
    wanted = Wanted(blobs, image.manifest, image.descriptor.media_type, tags)
    return push_images(registry_client(credentials, patience), [wanted])


def noise(seed: int, size: int) -> str:
    """A text that gzip cannot make smaller than some `size` bytes."""
    return base64.b64encode(random.Random(seed).randbytes(size)).decode()
