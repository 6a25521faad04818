"""Images as Docker and registries know them: what a reference stands for, and a copy of it.

By the docker command, which has the user's contexts and credentials.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagesmith.errors import DockerError

__all__ = [
    "StoredImage",
    "find_image",
    "pull_image",
    "registry_manifest",
    "registry_platform",
    "save_image",
    "tags_like",
    "untag_image",
]

ANSWER_SECONDS = 60


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in Docker's own store; `digests` are `NAME@sha256:…`, as registries know it."""

    id: str
    platform: str
    digests: Sequence[str]


def find_image(reference: str) -> StoredImage | None:
    """The image of this name in Docker's own store."""
    done = _run("image", "inspect", reference)
    if done.returncode != 0:
        return None
    try:
        found = json.loads(done.stdout)[0]
        return StoredImage(
            found["Id"], f"{found['Os']}/{found['Architecture']}", found.get("RepoDigests") or []
        )
    except (ValueError, LookupError, TypeError):
        return None


def pull_image(reference: str, platform: str) -> None:
    """Bring an image into Docker's own store. Raises DockerError in Docker's words."""
    _must("pull", "--quiet", "--platform", platform, reference)


def save_image(reference: str, to: Path) -> None:
    """Write `docker save`'s archive. Raises DockerError in Docker's words."""
    _must("save", "--output", str(to), reference)


def tags_like(pattern: str) -> list[str]:
    """The tags of Docker's own store that match a pattern, as `docker image ls` has them; none if
    it does not answer."""
    form = ("--format", "{{.Repository}}:{{.Tag}}")
    done = _run("image", "ls", "--filter", f"reference={pattern}", *form)
    return [tag for tag in done.stdout.decode().split() if not tag.endswith(":<none>")]


def untag_image(reference: str) -> None:
    """Take a name away; the image goes too if it was the only one."""
    _run("image", "rm", reference)


def registry_manifest(reference: str) -> bytes | None:
    """The manifest or index that a registry has for a reference; None if it does not answer."""
    done = _run("buildx", "imagetools", "inspect", "--raw", reference)
    return done.stdout if done.returncode == 0 else None


def registry_platform(reference: str) -> str | None:
    """`OS/ARCHITECTURE` of an image in a registry, as its configuration has it."""
    done = _run("buildx", "imagetools", "inspect", "--format", "{{json .Image}}", reference)
    if done.returncode != 0:
        return None
    try:
        found = json.loads(done.stdout)
        return f"{found['os']}/{found['architecture']}"
    except (ValueError, LookupError, TypeError):
        return None


def _must(*arguments: str) -> None:
    done = _run(*arguments, seconds=None)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise DockerError(
            f"docker {arguments[0]} failed: {said[-1] if said else 'it said nothing'}"
        )


def _run(
    *arguments: str, seconds: int | None = ANSWER_SECONDS
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["docker", *arguments], capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(arguments, 125, b"", str(error).encode())
