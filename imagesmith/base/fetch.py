"""The bases that need a BuildKit, by what the recipe says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imagesmith.base.base import Base
from imagesmith.docker.access import NO_ACCESS, Access
from imagesmith.oci.spec import Platform
from imagesmith.recipe import DockerfileBase, ReferenceBase

if TYPE_CHECKING:
    from imagesmith.docker.buildx import Tell

__all__ = ["fetcher"]


def fetcher(
    tell: Tell | None = None, access: Access = NO_ACCESS
) -> Callable[[ReferenceBase | DockerfileBase, Platform], Base]:
    """What gets such a base; `tell` hears BuildKit's log, `access` is what a Dockerfile may use."""

    def fetch(wanted: ReferenceBase | DockerfileBase, platform: Platform) -> Base:
        match wanted:
            case ReferenceBase(reference=reference):
                from imagesmith.base.image import image_base

                return image_base(reference, platform, tell)
            case DockerfileBase(dockerfile=dockerfile, target=target, packages=packages):
                from imagesmith.base.dockerfile import dockerfile_base

                return dockerfile_base(dockerfile, target, packages, platform, tell, access)

    return fetch
