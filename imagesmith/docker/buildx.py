"""BuildKit through `docker buildx build`, by python-on-whales.

Everything here runs the user's own docker command, with their contexts, builders and credentials.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.docker.client import Docker
from imagesmith.errors import DockerError
from imagesmith.oci.spec import Json

if TYPE_CHECKING:
    from python_on_whales import DockerClient

__all__ = ["Build", "BuildKit", "find_buildkit", "run_build"]

OLDEST_BUILDX = (0, 11)
"""The first that hands an OCI layout over as a named context, and has `--provenance`."""

CONTAINERD_STORE = "io.containerd.snapshotter.v1"

PASSING = re.compile(
    r"failed to prepare extraction snapshot|parent snapshot .* does not exist"
    r"|image \".*\": already exists"
)
"""Builds in quick succession on Docker 28.5, two loads of one tag at once: a second try passes."""

END_SECONDS = 10

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuildKit:
    """A BuildKit that answers: versions, and whether it takes OCI layouts as contexts.

    `driver` is that of the current builder. The engine's own BuildKit (driver `docker`) takes OCI
    layouts only with the containerd image store; one in a container of its own always does.
    """

    docker: str
    buildx: tuple[int, ...]
    driver: str
    containerd_store: bool

    @property
    def is_new_enough(self) -> bool:
        """Whether its buildx has what we need."""
        return self.buildx >= OLDEST_BUILDX

    @property
    def takes_layouts(self) -> bool:
        """Whether a finished image can be handed to it blob by blob."""
        return self.is_new_enough and (self.containerd_store or self.driver != "docker")

    @property
    def buildx_version(self) -> str:
        """`0.13.1`."""
        return ".".join(map(str, self.buildx))


@dataclass(frozen=True, slots=True)
class Build:
    """One `docker buildx build`.

    `dockerfile` is the text of the Dockerfile, or a path to one; `contexts` are named contexts
    (`NAME`: a folder, an image, `oci-layout://DIR@DIGEST`); `output` is buildx's `--output`;
    `secrets` and `ssh` are passed on in buildx's own words.
    """

    dockerfile: str | Path
    output: Mapping[str, str]
    context: Path | None = None
    target: str | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    secrets: Sequence[str] = ()
    ssh: str | None = None
    platform: str | None = None


def find_buildkit() -> BuildKit | None:
    """The BuildKit that the docker command talks to; None if no engine or no buildx answers."""
    from python_on_whales import DockerException

    server = Docker().version()  # which does not wait for ever, as python-on-whales would
    if server is None:
        return None
    docker = _client()
    try:
        info = docker.system.info()
        buildx = docker.buildx.version()
        driver = docker.buildx.inspect().driver or "docker"
    # python-on-whales parses what Docker prints; a docker that is none prints anything.
    except (DockerException, OSError, ValueError):
        return None
    status = {tuple(pair) for pair in info.driver_status or []}
    numbers = re.search(r"\bv?(\d+)\.(\d+)(?:\.(\d+))?", buildx.rpartition("buildx ")[2])
    return BuildKit(
        server,
        tuple(int(number) for number in numbers.groups() if number) if numbers else (0,),
        driver,
        ("driver-type", CONTAINERD_STORE) in status,
    )


def run_build(build: Build, tell: Tell) -> Mapping[str, Json]:
    """Run the build; `tell` gets BuildKit's log line by line.

    Returns buildx's metadata (`containerimage.digest` and so on). Raises DockerError with
    BuildKit's own words.
    """
    try:
        return _run(build, tell)
    except DockerError as error:
        if PASSING.search(error.message):
            tell("BuildKit was in its own way; trying once more")
            return _run(build, tell)
        raise


def _run(build: Build, tell: Tell) -> Mapping[str, Json]:
    from python_on_whales import DockerException, Image

    if shutil.which("docker") is None:
        raise DockerError("there is no docker command here", hint="Install Docker with buildx.")
    last: deque[str] = deque(maxlen=40)
    with tempfile.TemporaryDirectory(prefix="imagesmith-buildx-") as folder:
        scratch = Path(folder)
        dockerfile = build.dockerfile
        if isinstance(dockerfile, str):
            (scratch / "Dockerfile").write_text(dockerfile)
            dockerfile = scratch / "Dockerfile"
        context = build.context
        if context is None:
            context = scratch / "empty"
            context.mkdir()
        metadata = scratch / "metadata.json"
        try:
            lines = _client().buildx.build(
                context,
                file=dockerfile,
                target=build.target,
                build_contexts=dict(build.contexts),
                build_args=dict(build.args),
                output=dict(build.output),
                tags=list(build.tags),
                secrets=list(build.secrets),
                ssh=build.ssh,
                platforms=[build.platform] if build.platform else None,
                provenance=False,  # it holds the time, so no two builds would have one digest
                metadata_file=metadata,
                progress="plain",
                stream_logs=True,
            )
            assert not isinstance(lines, Image) and lines is not None  # it streams its log
            for line in lines:
                last.append(line.rstrip())
                tell(line.rstrip())
        except DockerException as error:
            raise DockerError(
                f"BuildKit failed: {_reason([*last, *(error.stderr or '').splitlines()])}",
                hint="`docker buildx ls` tells which builder was asked, `--progress plain` shows "
                "its whole log.",
            ) from None
        except OSError as error:
            raise DockerError(f"docker cannot be run: {error.strerror or error}") from None
        except BaseException:
            _end_children()
            raise
        return _metadata(metadata)


def _end_children() -> None:
    """End the docker command that python-on-whales has started, and wait for it.

    It keeps no handle on it, and a push that goes on after we were ended would be published.
    """
    for child in _children():
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + END_SECONDS
    while _children() and time.monotonic() < deadline:
        time.sleep(0.05)


def _children() -> list[int]:
    """Our child processes that still run (proc(5): /proc/PID/task/TID/children)."""
    found = [
        int(child)
        for task in Path("/proc/self/task").glob("*/children")
        for child in task.read_text().split()
    ]
    return [child for child in found if _runs(child)]


def _runs(child: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{child}/stat").read_text()
    except OSError:
        return False


def _metadata(path: Path) -> Mapping[str, Json]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(log: Sequence[str]) -> str:
    """The lines of a failed build's log that say why: BuildKit ends with `ERROR: …`."""
    errors = [line.strip() for line in log if line.strip().startswith(("ERROR:", "error:"))]
    if errors:
        return errors[-1].partition(":")[2].strip()
    said = [line.strip() for line in log if line.strip()]
    return said[-1] if said else "it said nothing"


def _client() -> DockerClient:
    from python_on_whales import DockerClient

    return DockerClient()
