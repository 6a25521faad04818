"""Which containers a command is about: `--container`, `--compose-service` and `--label`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Option
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.docker.container import Container

__all__ = [
    "ComposeService",
    "ContainerNames",
    "Drain",
    "Force",
    "Labels",
    "find_pet",
    "find_pets",
    "say",
]

ContainerNames = Annotated[
    list[str] | None,
    Option("--container", "-c", metavar="NAME", help="A container, by name or ID."),
]
ComposeService = Annotated[
    list[str] | None,
    Option(
        "--compose-service",
        metavar="SERVICE",
        help="All containers of a service of Docker Compose.",
    ),
]
Labels = Annotated[
    list[str] | None,
    Option("--label", metavar="KEY=VALUE", help="All running containers with this label."),
]
Drain = Annotated[
    float,
    Option(
        "--drain",
        metavar="SECONDS",
        help="How long to wait for processes that still run old code to leave it.",
    ),
]
Force = Annotated[
    bool,
    Option("--force", help="Take over the lock of an upgrade on a machine that is gone."),
]
COMPOSE = "com.docker.compose.service"


def find_pets(
    names: list[str] | None, services: list[str] | None, labels: list[str] | None
) -> list[Container]:
    """The containers asked for. Raises UsageError if none was named, DockerError."""
    from imagesmith.docker.container import find_containers

    wanted = [*(f"{COMPOSE}={service}" for service in services or []), *(labels or [])]
    if not names and not wanted:
        raise UsageError(
            "which container is meant?",
            hint="Name it: `--container NAME`, `--compose-service NAME`, or `--label KEY=VALUE`.",
        )
    return find_containers(names or [], wanted)


def find_pet(
    names: list[str] | None, services: list[str] | None, labels: list[str] | None
) -> Container:
    """The one container asked for. Raises UsageError, DockerError."""
    found = find_pets(names, services, labels)
    if len(found) > 1:
        raise UsageError(
            f"there are {len(found)} containers: {', '.join(item.name for item in found)}",
            hint="Name one: `--container NAME`.",
        )
    return found[0]


def say(text: str) -> None:
    """A step of the work, for people: to stderr."""
    sys.stderr.write(f"imagesmith: {text}\n")
