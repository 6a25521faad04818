"""The bases that are somewhere else, by what the recipe says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.base.base import Base
from imagesmith.docker.access import NO_ACCESS, Access
from imagesmith.oci.spec import Platform
from imagesmith.recipe import DockerfileBase, ReferenceBase

if TYPE_CHECKING:
    from imagesmith.docker.buildx import Tell
    from imagesmith.oci.registry import Registry

__all__ = ["fetcher"]


def fetcher(
    cache: Path,
    registry: Callable[[], Registry],
    tell: Tell,
    access: Access = NO_ACCESS,
    *,
    buildkit: bool | None = None,
) -> Callable[[ReferenceBase | DockerfileBase, Platform], Base]:
    """What gets such a base and keeps it in the cache folder.

    A reference is looked up as the user's Docker would, where one with a BuildKit answers: an
    image may be in its own store only, and that one is meant then. Elsewhere the registry is asked.
    `buildkit` says it: always, never, or None for that rule. `tell` hears BuildKit's log, `access`
    is what a Dockerfile may use.
    """

    def fetch(wanted: ReferenceBase | DockerfileBase, platform: Platform) -> Base:
        match wanted:
            case ReferenceBase(reference=reference):
                if _answers() if buildkit is None else buildkit:
                    from imagesmith.base.image import image_base

                    return image_base(reference, platform, cache, tell)
                return _remote(reference, platform, cache, registry())
            case DockerfileBase(dockerfile=dockerfile, target=target, packages=packages):
                from imagesmith.base.dockerfile import dockerfile_base

                return dockerfile_base(dockerfile, target, packages, platform, cache, tell, access)

    return fetch


def _answers() -> bool:
    from imagesmith.docker.buildx import find_buildkit

    found = find_buildkit()
    return found is not None and found.is_new_enough


def _remote(reference: str, platform: Platform, cache: Path, registry: Registry) -> Base:
    from imagesmith.base.remote import remote_base
    from imagesmith.oci.blobs import BlobDir

    return remote_base(reference, platform, registry, BlobDir(cache / "blobs"))
