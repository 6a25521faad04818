"""The docker command: whether an engine answers, `docker load`, what it has.

The command and not the API, since it knows contexts, `DOCKER_HOST=ssh://…` and TLS settings as the
user has set them up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import IO

from imagesmith.errors import DockerError

__all__ = ["Docker", "ask", "endpoint", "is_local", "local_endpoint"]

ANSWER_SECONDS = 10
NOT_WHOLE = "Error unpacking"
"""`docker load` exits with 0 after this, and leaves a tag that cannot run (Docker 28.5)."""
UNIX = "unix://"
LOCAL = (UNIX, "npipe://")


class Docker:
    """The Docker that the user's docker command talks to."""

    def version(self) -> str | None:
        """The version of the engine, or None if none answers."""
        return ask("version", "--format", "{{.Server.Version}}")

    def load(self, write: Callable[[IO[bytes]], None]) -> None:
        """Hand an archive to `docker load`; `write` writes it into the pipe.

        Raises DockerError in Docker's own words, and if there is no docker command.
        """
        docker = shutil.which("docker")
        if docker is None:
            raise DockerError(
                "--load: there is no docker command here",
                hint="Install Docker, or write a file: `--output type=docker,dest=FILE.tar`.",
            )
        import subprocess  # here, since most builds ask no Docker, and it takes 5 ms

        with subprocess.Popen(
            [docker, "load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
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
        if process.returncode != 0 or NOT_WHOLE in said:
            raise failed_load(said.splitlines()[-1] if said else "it said nothing")

    def reference(self, tag: str, digest: str, image_id: str) -> str:
        """What `docker run` takes for a loaded image, and nothing else by this tag.

        The containerd image store knows an image by its manifest's `digest`. The classic store
        never sees a manifest: there it is `image_id`, the configuration's digest. Raises
        DockerError if the engine has neither.
        """
        for reference in (f"{tag}@{digest}", image_id):
            if ask("image", "inspect", "--format", "{{.Id}}", reference):
                return reference
        raise not_sent(tag)


def failed_load(reason: str) -> DockerError:
    """Why Docker did not take an archive."""
    return DockerError(
        f"docker load failed: {reason}",
        hint="`docker version` tells whether the engine answers.",
    )


def not_sent(tag: str) -> DockerError:
    """Docker has something else than what it was handed."""
    return DockerError(f"docker load said that it was done, but {tag} is not what was sent")


def is_local(place: str) -> bool:
    """Whether an endpoint, such as `unix:///var/run/docker.sock`, is of this machine."""
    return place.startswith(LOCAL)


def endpoint() -> str | None:
    """Where the Docker of DOCKER_HOST or of the current context is; None if nothing says it."""
    return os.environ.get("DOCKER_HOST") or ask(
        "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"
    )


def local_endpoint(what: str) -> str:
    """Where Docker is, if it is of this machine.

    Raises DockerError, in which `what` is what it is wanted for.
    """
    place = endpoint()
    if not place:
        raise DockerError(
            f"{what}: there is no Docker here",
            hint="Start it; `docker version` tells whether it answers.",
        )
    if not is_local(place):
        raise DockerError(
            f"{what}: Docker is another machine's ({place})",
            hint="Run imagesmith on that machine: between two, the network would be measured.",
        )
    return place


def ask(*arguments: str) -> str | None:
    """What a docker command prints; None if it fails, prints nothing, hangs or is not there."""
    import subprocess

    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
