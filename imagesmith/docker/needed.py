"""The BuildKit that something cannot do without."""

from __future__ import annotations

from imagesmith.docker.buildx import OLDEST_BUILDX, BuildKit, find_buildkit
from imagesmith.errors import DockerError

__all__ = ["needed_buildkit"]


def needed_buildkit(what: str) -> BuildKit:
    """The BuildKit that answers. Raises DockerError, naming `what` needs it, if it cannot do."""
    buildkit = find_buildkit()
    if buildkit is None:
        raise DockerError(
            f"{what} needs BuildKit, but no Docker with buildx answers",
            hint="`docker version` and `docker buildx version` tell what is missing. Without "
            "them: a release that is built already, on `base: minimal` or `base: oci:DIR`.",
        )
    if not buildkit.is_new_enough:
        oldest = ".".join(map(str, OLDEST_BUILDX))
        raise DockerError(
            f"{what} needs buildx {oldest}, which can turn provenance off, but this is "
            f"{buildkit.buildx_version}",
            hint="Install a newer docker-buildx.",
        )
    return buildkit
