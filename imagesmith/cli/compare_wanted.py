"""What `compare` is asked for: the load, how the containers run, and the two releases."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.cli.quantity import parse_size
from imagesmith.compare.workload import Hold, HoldHttp, HoldTcp, HoldWebsocket, Workload
from imagesmith.errors import UsageError
from imagesmith.recipe import HttpProbe
from imagesmith.recipe import recipe as recipes
from imagesmith.recipe.limits import CONNECTIONS, RATE, REPLICAS, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imagesmith.recipe import Recipe

__all__ = [
    "Given",
    "check_numbers",
    "check_out",
    "wanted_environment",
    "wanted_memory",
    "wanted_sides",
    "wanted_workload",
]

LEAST_MEMORY = 6 << 20
"""Docker refuses less (moby, daemon/daemon_unix.go: linuxMinMemory)."""

BOUNDS = {
    "--connections": CONNECTIONS,
    "--rate": RATE,
    "--replicas": REPLICAS,
    "--repeat": Limits(1),
    "--deploys": Limits(1),
    "--hosts": Limits(1),
    "--jitter": Limits(0),
    "--settle": Limits(1),  # shorter, there is nothing to compare a change with
    "--drain": Limits(0),
    "--ready": Limits(0.1),  # it is asked ten times a second
    "--cpus": Limits(0.01),  # Docker refuses less (moby, daemon/daemon_unix.go)
}


def check_numbers(given: Mapping[str, float | None]) -> None:
    """Refuse an option's number that is out of bounds. Raises UsageError."""
    for option, number in given.items():
        if number is not None and not BOUNDS[option].allow(number):
            raise UsageError(f"{option} {number}: should be {BOUNDS[option]}")


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says of the load; None where the recipe has the word."""

    connections: int | None
    rate: int | None
    replicas: int | None
    jitter: float


def wanted_workload(recipe: Recipe, given: Given) -> Workload:
    """The load of the recipe's `compare:`, with what the command line says instead.

    Raises UsageError for a number out of bounds, and where nothing says when a container is ready.
    """
    if recipe.probe is None:
        raise UsageError(
            "compare: the recipe does not say how to see that a container is ready",
            hint="Add a probe, such as `probe: {http: /health, port: 4000}`.",
        )
    check_numbers(
        {
            "--connections": given.connections,
            "--rate": given.rate,
            "--replicas": given.replicas,
            "--jitter": given.jitter,
        }
    )
    wanted = recipe.compare
    request = wanted.request or (recipe.probe if isinstance(recipe.probe, HttpProbe) else None)
    connections = wanted.connections if given.connections is None else given.connections
    rate = wanted.rate if given.rate is None else given.rate
    asked = request if rate else None
    return Workload(
        path=asked.http if asked else None,
        port=asked.port if asked else 0,
        version=wanted.version,
        state=wanted.state,
        hold=_hold(wanted.hold, request) if connections else None,
        connections=connections,
        rate=float(rate),
        jitter=given.jitter,
        replicas=wanted.replicas if given.replicas is None else given.replicas,
    )


def _hold(wanted: recipes.Hold | None, request: HttpProbe | None) -> Hold | None:
    match wanted:
        case recipes.HoldHttp():
            return HoldHttp(path=wanted.http, port=wanted.port)
        case recipes.HoldWebsocket():
            return HoldWebsocket(path=wanted.websocket, port=wanted.port, say=wanted.say)
        case recipes.HoldTcp():
            return HoldTcp(port=wanted.tcp, say=wanted.say)
    return HoldHttp(path=request.http, port=request.port) if request else None


def check_out(out: Path) -> None:
    """Refuse a folder that no report can be written into, before minutes are spent. Raises
    UsageError."""
    there = out.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise UsageError(f"--out {out}: {there} is a file", hint="Name a folder.")
    if not os.access(there, os.W_OK):
        raise UsageError(f"--out {out}: {there} cannot be written into")


def wanted_environment(texts: Sequence[str]) -> Mapping[str, str]:
    """`NAME=VALUE`, or `NAME` for what this process has, as `docker run` reads them.

    Raises UsageError for a name that is none, or that has no value here.
    """
    found = {}
    for text in texts:
        name, given, value = text.partition("=")
        if not name:
            # What stands there may be a secret.
            raise UsageError("--env: a variable has no name", hint="Write NAME=VALUE or NAME.")
        if not given and name not in os.environ:
            raise UsageError(f"--env {name}: is not set here", hint=f"Write `--env {name}=VALUE`.")
        found[name] = value if given else os.environ[name]
    return found


def wanted_memory(text: str | None) -> int | None:
    """Bytes. Raises UsageError for what no container can live with."""
    if text is None:
        return None
    size = parse_size(text, "--memory")
    if size < LEAST_MEMORY:
        raise UsageError(f"--memory {text}: Docker wants 6 MB or more")
    return size


def wanted_sides(
    recipe: Recipe, old: Path | None, new: Path | None, name: str | None
) -> tuple[Path, Path]:
    """OLD's and NEW's release. Raises UsageError where one is missing, or is no release."""
    if old is None:
        raise UsageError("compare: what runs now?", hint="Name its release: `--from OLD`.")
    if recipe.releases and name not in recipe.releases:
        said = f"there is no release {name}" if name else "which release is meant?"
        raise UsageError(
            f"compare: {said}", hint=f"`--release` takes one of {', '.join(recipe.releases)}."
        )
    if new is None:
        own = recipe.releases[name] if recipe.releases and name else recipe.release
        if own is None:
            raise UsageError(
                "compare: the recipe builds its release from source, which would be NEW",
                hint="Name a release that is built: `--to NEW`.",
            )
        new = own.path
    for option, path in (("--from", old), ("--to", new)):
        if not (path.is_dir() or (path.is_file() and path.name.endswith(".tar.gz"))):
            raise UsageError(
                f"{option} {path}: this is no release's folder, and no .tar.gz of one",
                hint="Both lives are built anew, for which an image does not do.",
            )
    return old, new
