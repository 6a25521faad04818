"""Which engine delivers, and why."""

from __future__ import annotations

from collections.abc import Sequence

from imagesmith.docker.buildx import OLDEST_BUILDX as OLDEST
from imagesmith.docker.buildx import BuildKit, Tell, find_buildkit
from imagesmith.docker.client import Docker
from imagesmith.engine.buildkit import BuildKitEngine
from imagesmith.engine.embedded import EmbeddedEngine
from imagesmith.engine.engine import Engine, LoadOutput, Output, RegistryOutput
from imagesmith.engine.name import EngineName
from imagesmith.errors import DockerError

__all__ = ["choose_engine"]


def choose_engine(name: EngineName, outputs: Sequence[Output], tell: Tell) -> tuple[Engine, str]:
    """The engine, and the reason for it in words.

    `auto` takes BuildKit where a good Docker answers and the image goes to Docker or a registry. A
    file needs no Docker, and the same image has the same digest whether one is running or not.
    Raises DockerError if BuildKit was asked for and is not there.
    """
    embedded = EmbeddedEngine(Docker())
    if name is EngineName.EMBEDDED:
        return embedded, "as asked"
    if name is EngineName.AUTO and not _wants_docker(outputs):
        return embedded, "a file needs no Docker"
    buildkit = find_buildkit()
    problem = _problem(buildkit)
    if buildkit is None or problem:
        if name is EngineName.BUILDKIT:
            raise DockerError(
                f"--engine buildkit: {problem}",
                hint="Start Docker, or use `--engine embedded`, which needs none.",
            )
        if RegistryOutput() in outputs:
            raise DockerError(
                f"--push: {problem}", hint="Pushing goes through BuildKit: `docker buildx version`."
            )
        if buildkit is None and Docker().version() is None:
            raise DockerError(
                "--load: no Docker answers",
                hint="Start it, or write a file: `--output type=docker,dest=FILE.tar`.",
            )
        return embedded, problem
    why = f"Docker {buildkit.docker} with buildx {buildkit.buildx_version} answers"
    return BuildKitEngine(buildkit, Docker(), tell), why


def _wants_docker(outputs: Sequence[Output]) -> bool:
    return any(isinstance(output, LoadOutput | RegistryOutput) for output in outputs)


def _problem(buildkit: BuildKit | None) -> str:
    if buildkit is None:
        return "no Docker with buildx answers"
    if not buildkit.is_new_enough:
        oldest = ".".join(map(str, OLDEST))
        return (
            f"buildx {buildkit.buildx_version} is too old: {oldest} is the first that takes an "
            "OCI layout as a context"
        )
    return ""
