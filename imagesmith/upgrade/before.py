"""OLD: the release that an upgrade starts from, and the digest that a volume knows it by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imagesmith.base.imageroot import ImageRoot
from imagesmith.beam.release import Release, read_release
from imagesmith.errors import UsageError
from imagesmith.image.cattle import plan_cattle
from imagesmith.image.pet.image import keys_digest, release_digest
from imagesmith.image.side import image_side
from imagesmith.image.stored import StoredImage
from imagesmith.layer.split import Group
from imagesmith.recipe import Recipe
from imagesmith.upgrade.tree import ImageTree

__all__ = ["Before", "image_before", "release_before"]

VOLUME = re.compile(r"^volume='(.*)'$", re.MULTILINE)
OF_NO_RELEASE = frozenset({Group.BASE, Group.PET})


@dataclass(frozen=True, slots=True)
class Before:
    """A release to start from; `volume` is where its image has the upgrade volume, if it says."""

    release: Release
    digest: str
    volume: str | None = None


def release_before(release: Release, recipe: Recipe) -> Before:
    """A release's folder: its digest is that of the image which the recipe of today makes of it.

    Raises as `plan_cattle`.
    """
    return Before(release, release_digest(plan_cattle(release, recipe)))


@contextmanager
def image_before(image: StoredImage) -> Iterator[Before]:
    """An image, a pet's or the cattle image of the same release; read while this is open.

    Raises UsageError if imagesmith has not made it, BaseError if it is damaged, ReleaseError if
    the release in it is broken.
    """
    layers = [found.layer for found in image_side(image).layers]
    held = [layer for layer in layers if layer.group not in OF_NO_RELEASE]
    if not held or any(layer.key is None or layer.group is Group.APPENDED for layer in held):
        appended = any(layer.group is Group.APPENDED for layer in held)
        reason = "it was made with --append-to" if appended else "imagesmith has not made it"
        raise UsageError(
            f"--upgrade-from {image.name}: no pet runs this image: {reason}",
            hint="Name the image of OLD that the containers run, or its release's folder.",
        )
    keys = [layer.key for layer in held if layer.key]
    files = [layer for layer in layers if layer.group is not Group.BASE]
    with ImageRoot(files, image.name) as root:
        tree = ImageTree(root)
        volume = VOLUME.search(tree.text("pet/release") or "")
        yield Before(read_release(tree), keys_digest(keys), volume[1] if volume else None)
