"""The bases that need a BuildKit, by what the recipe says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.base.dockerfile import dockerfile_base
from imagesmith.base.image import image_base
from imagesmith.docker.buildx import Tell
from imagesmith.docker.source import NO_ACCESS, Access
from imagesmith.oci.spec import Platform
from imagesmith.recipe import DockerfileBase, ReferenceBase

__all__ = ["fetcher"]


def fetcher(
    cache: Path, tell: Tell | None = None, access: Access = NO_ACCESS
) -> Callable[[ReferenceBase | DockerfileBase, Platform], Base]:
    """What gets such a base and keeps it in the cache folder.

    `tell` hears BuildKit's log, `access` is what a Dockerfile may use.
    """

    def fetch(wanted: ReferenceBase | DockerfileBase, platform: Platform) -> Base:
        match wanted:
            case ReferenceBase(reference=reference):
                return image_base(reference, platform, cache, tell)
            case DockerfileBase(dockerfile=dockerfile, target=target, packages=packages):
                return dockerfile_base(dockerfile, target, packages, platform, cache, tell, access)

    return fetch
