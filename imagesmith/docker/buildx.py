"""BuildKit through `docker buildx build`.

Everything here runs the user's own docker command, with their contexts, builders and credentials.
We start it ourselves: python-on-whales, which could, takes 0.3 s to import (more than all
else of an unchanged build), and keeps no handle on the command, so that nobody can end it.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imagesmith.docker.client import ask
from imagesmith.errors import DockerError
from imagesmith.oci.spec import Json

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
METADATA = "metadata.json"

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
    """The BuildKit that the docker command talks to; None if no engine or no buildx answers.

    Three commands at once: each waits for the engine or a builder, and none for another.
    """
    with ThreadPoolExecutor(3) as pool:
        server, version, builder = pool.map(
            lambda words: ask(*words),
            (
                ("info", "--format", "{{.ServerVersion}}|{{json .DriverStatus}}"),
                ("buildx", "version"),
                ("buildx", "inspect"),
            ),
        )
    engine, _, status = (server or "").partition("|")  # without an engine: "|null"
    if not engine or version is None:
        return None
    numbers = re.search(r"\bv?(\d+)\.(\d+)(?:\.(\d+))?", version.rpartition("buildx ")[2])
    driver = re.search(r"^Driver:\s+(\S+)", builder or "", re.MULTILINE)
    return BuildKit(
        engine,
        tuple(int(number) for number in numbers.groups() if number) if numbers else (0,),
        driver[1] if driver else "docker",
        CONTAINERD_STORE in status,
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
    last: deque[str] = deque(maxlen=40)
    with tempfile.TemporaryDirectory(prefix="imagesmith-buildx-") as folder:
        scratch = Path(folder)
        try:
            process = subprocess.Popen(
                ["docker", "buildx", "build", *_words(build, scratch)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            raise DockerError(
                "there is no docker command here"
                if missing
                else f"docker cannot be run: {error.strerror or error}",
                hint="Install Docker with buildx." if missing else None,
            ) from None
        with _ended_with_us(process):
            assert process.stdout is not None
            for line in process.stdout:
                last.append(line.rstrip())
                tell(line.rstrip())
        if process.returncode:
            raise DockerError(
                f"BuildKit failed: {_reason(last)}",
                hint="`docker buildx ls` tells which builder was asked, `--progress plain` shows "
                "its whole log.",
            )
        return _metadata(scratch / METADATA)


def _words(build: Build, scratch: Path) -> Iterator[str]:
    """The command's options and the context, which is an empty folder where there is none."""
    dockerfile, context = build.dockerfile, build.context
    if isinstance(dockerfile, str):
        (scratch / "Dockerfile").write_text(dockerfile)
        dockerfile = scratch / "Dockerfile"
    if context is None:
        context = scratch / "empty"
        context.mkdir()
    yield from ("--file", str(dockerfile), "--progress", "plain")
    yield from ("--metadata-file", str(scratch / METADATA))
    yield "--provenance=false"  # it holds the time, so no two builds would have one digest
    yield from ("--output", ",".join(f"{key}={value}" for key, value in build.output.items()))
    yield from _each("--build-context", build.contexts)
    yield from _each("--build-arg", build.args)
    for option, values in (
        ("--tag", build.tags),
        ("--secret", build.secrets),
        ("--target", [build.target]),
        ("--ssh", [build.ssh]),
        ("--platform", [build.platform]),
    ):
        for value in filter(None, values):
            yield from (option, value)
    yield str(context)


def _each(option: str, values: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        yield from (option, f"{key}={value}")


@contextmanager
def _ended_with_us(process: subprocess.Popen[str]) -> Iterator[None]:
    """Wait for the command; end it if we are ended: a push that went on would be published."""
    try:
        yield
        process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    finally:
        assert process.stdout is not None
        process.stdout.close()


def _metadata(path: Path) -> Mapping[str, Json]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(log: Iterable[str]) -> str:
    """The lines of a failed build's log that say why: BuildKit ends with `ERROR: …`."""
    said = [line.strip() for line in log if line.strip()]
    errors = [line for line in said if line.startswith(("ERROR:", "error:"))]
    if errors:
        return errors[-1].partition(":")[2].strip()
    return said[-1] if said else "it said nothing"
