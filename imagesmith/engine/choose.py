"""Which engine delivers, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from imagesmith.docker.client import UNIX, Docker, endpoint, is_local
from imagesmith.engine.embedded import EmbeddedEngine, user_registry
from imagesmith.engine.engine import Engine, LoadOutput, Output, RegistryOutput
from imagesmith.engine.name import EngineName
from imagesmith.errors import DockerError

if TYPE_CHECKING:
    from imagesmith.docker.api import LocalDocker
    from imagesmith.docker.buildx import BuildKit, Tell
    from imagesmith.oci.registry import Registry

__all__ = ["choose_engine"]


def choose_engine(
    name: EngineName,
    outputs: Sequence[Output],
    tell: Tell,
    registry: Callable[[], Registry] = user_registry,
) -> tuple[Engine, str]:
    """The engine, and the reason for it in words.

    `auto` takes BuildKit for a Docker on another machine, which then gets only the blobs that it
    lacks. One on this machine takes an archive, sooner than BuildKit would take the layers over
    (`make bench`), and the image keeps its digest. A file or a registry needs no Docker. Raises
    DockerError if BuildKit was asked for and is not there.
    """
    embedded = EmbeddedEngine(Docker(), registry)
    if name is EngineName.EMBEDDED:
        return embedded, "as asked"
    pushes = RegistryOutput() in outputs
    if name is EngineName.AUTO and LoadOutput() not in outputs:
        return embedded, f"a {'registry' if pushes else 'file'} needs no Docker"

    if name is EngineName.AUTO and is_local(place := endpoint() or ""):
        docker = _here(place)
        version = docker.version()
        if version is None:
            raise _no_docker()
        return EmbeddedEngine(docker, registry), f"Docker {version} is on this machine"

    from imagesmith.docker.buildx import find_buildkit

    buildkit = find_buildkit()
    problem = _problem(buildkit)
    if buildkit is None or problem:
        if name is EngineName.BUILDKIT:
            raise DockerError(
                f"--engine buildkit: {problem}",
                hint="Start Docker, or use `--engine embedded`, which needs none.",
            )
        if buildkit is None and Docker().version() is None:
            raise _no_docker()
        return embedded, problem
    why = f"Docker {buildkit.docker} with buildx {buildkit.buildx_version} answers"

    from imagesmith.engine.buildkit import BuildKitEngine
    from imagesmith.engine.split import SplitEngine

    by_docker = BuildKitEngine(buildkit, Docker(), tell)
    if pushes and name is EngineName.AUTO:
        return SplitEngine(by_docker, embedded), f"{why}; a registry needs none"
    return by_docker, why


def _here(place: str) -> Docker | LocalDocker:
    """A Docker on this machine: by its socket, or where that is none of Unix, by the command."""
    from imagesmith.docker.api import LocalDocker

    return LocalDocker(place) if place.startswith(UNIX) else Docker()


def _no_docker() -> DockerError:
    return DockerError(
        "--load: no Docker answers",
        hint="Start it, or write a file: `--output type=docker,dest=FILE.tar`.",
    )


def _problem(buildkit: BuildKit | None) -> str:
    if buildkit is None:
        return "no Docker with buildx answers"
    if not buildkit.is_new_enough:
        from imagesmith.docker.buildx import OLDEST_BUILDX as OLDEST

        oldest = ".".join(map(str, OLDEST))
        return (
            f"buildx {buildkit.buildx_version} is too old: {oldest} is the first that takes an "
            "OCI layout as a context"
        )
    return ""
