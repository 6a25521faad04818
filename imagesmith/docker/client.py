"""The docker command: whether an engine answers, and `docker load`.

The command and not the API, since it knows contexts, `DOCKER_HOST=ssh://…` and TLS settings as the
user has set them up.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import IO

from imagesmith.errors import DockerError

__all__ = ["load", "server_version"]

ANSWER_SECONDS = 10


def server_version() -> str | None:
    """The version of the engine that answers, or None."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        done = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = done.stdout.strip()
    return version if done.returncode == 0 and version else None


def load(write: Callable[[IO[bytes]], None]) -> None:
    """Hand an archive to `docker load`; `write` writes it into the pipe.

    Raises DockerError in Docker's own words, and if there is no docker command.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise DockerError(
            "--load: there is no docker command here",
            hint="Install Docker, or write a file: `--output type=docker,dest=FILE.tar`.",
        )
    with subprocess.Popen(
        [docker, "load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            with process.stdin as pipe:
                write(pipe)
        except BrokenPipeError:
            pass  # Docker gave up first: its own words say why
        except BaseException:
            process.kill()
            raise
        said = process.stdout.read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise DockerError(
            f"docker load failed: {said.splitlines()[-1] if said else 'it said nothing'}",
            hint="`docker version` tells whether the engine answers.",
        )
