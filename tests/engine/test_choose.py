"""Which engine `--engine auto` takes, and what the BuildKit engine does where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.docker import buildx
from imagesmith.docker.api import LocalDocker
from imagesmith.docker.buildx import Build, BuildKit, Tell, run_build
from imagesmith.docker.client import Docker
from imagesmith.engine.buildkit import BuildKitEngine
from imagesmith.engine.choose import choose_engine
from imagesmith.engine.engine import ArchiveOutput, LoadOutput, Output, RegistryOutput
from imagesmith.engine.name import EngineName
from imagesmith.errors import DockerError
from imagesmith.oci.spec import Json

GOOD = BuildKit("28.5.2", (0, 29, 1), "docker", containerd_store=True)
OLD = BuildKit("20.10.24", (0, 10, 4), "docker", containerd_store=False)
CLASSIC = BuildKit("26.1.5", (0, 13, 1), "docker", containerd_store=False)
CONTAINER = BuildKit("26.1.5", (0, 13, 1), "docker-container", containerd_store=False)
FILE = ArchiveOutput(Path("x.tar"))
HERE = "unix:///nowhere/docker.sock"
THERE = "ssh://deploy@build.example"


def _quiet(_: str) -> None:
    pass


@pytest.mark.parametrize(
    ("place", "found", "output", "engine", "why"),
    [
        (THERE, GOOD, LoadOutput(), "buildkit", "Docker 28.5.2 with buildx 0.29.1 answers"),
        (HERE, GOOD, LoadOutput(), "embedded", "Docker 26.1.5 is on this machine"),
        (HERE, GOOD, RegistryOutput(), "embedded", "a registry needs no Docker"),
        (HERE, None, RegistryOutput(), "embedded", "a registry needs no Docker"),
        (HERE, GOOD, FILE, "embedded", "a file needs no Docker"),
        (THERE, None, LoadOutput(), "embedded", "no Docker with buildx answers"),
        (THERE, OLD, LoadOutput(), "embedded", "buildx 0.10.4 is too old: 0.11 is the first"),
    ],
)
def test_auto_says_why(
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    found: BuildKit | None,
    output: Output,
    engine: str,
    why: str,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", place)
    monkeypatch.setattr(buildx, "find_buildkit", lambda: found)
    monkeypatch.setattr(Docker, "version", lambda _: "26.1.5")
    monkeypatch.setattr(LocalDocker, "version", lambda _: "26.1.5")
    chosen, reason = choose_engine(EngineName.AUTO, [output], _quiet)
    assert chosen.name == engine
    assert reason.startswith(why)


@pytest.mark.parametrize("place", [HERE, THERE])
def test_where_no_docker_answers_nothing_is_built_for_it(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", place)
    monkeypatch.setattr(buildx, "find_buildkit", lambda: None)
    monkeypatch.setattr(Docker, "version", lambda _: None)
    every: list[list[Output]] = [[LoadOutput()], [RegistryOutput(), LoadOutput()]]
    for outputs in every:
        with pytest.raises(DockerError, match="--load: no Docker"):
            choose_engine(EngineName.AUTO, outputs, _quiet)


def test_what_is_loaded_and_pushed_goes_each_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", THERE)
    monkeypatch.setattr(buildx, "find_buildkit", lambda: GOOD)
    outputs: list[Output] = [LoadOutput(), RegistryOutput()]
    chosen, reason = choose_engine(EngineName.AUTO, outputs, _quiet)
    assert chosen.name == "buildkit and embedded"
    assert reason == "Docker 28.5.2 with buildx 0.29.1 answers; a registry needs none"
    assert choose_engine(EngineName.BUILDKIT, outputs, _quiet)[0].name == "buildkit"
    assert choose_engine(EngineName.EMBEDDED, outputs, _quiet)[0].name == "embedded"


@pytest.mark.parametrize("found", [None, OLD])
def test_buildkit_that_is_asked_for_and_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, found: BuildKit | None
) -> None:
    monkeypatch.setattr(buildx, "find_buildkit", lambda: found)
    with pytest.raises(DockerError, match=r"--engine buildkit: (no Docker|buildx 0\.10)"):
        choose_engine(EngineName.BUILDKIT, [FILE], _quiet)


def test_a_builder_in_a_container_takes_layouts_whatever_the_image_store() -> None:
    assert CONTAINER.takes_layouts
    assert not CLASSIC.takes_layouts


def test_the_classic_store_cannot_push_what_was_built() -> None:
    engine = BuildKitEngine(CLASSIC, Docker(), _quiet)
    with pytest.raises(DockerError, match="would write the layers anew") as error:
        engine.deliver([], RegistryOutput())
    assert error.value.hint is not None
    assert "containerd image store" in error.value.hint


def _fails(monkeypatch: pytest.MonkeyPatch, *messages: str) -> list[str]:
    """Make the next tries of BuildKit fail with these messages; returns what was tried."""
    left, tried = list(messages), list[str]()

    def once(build: Build, _: Tell) -> dict[str, Json]:
        tried.append(str(build.dockerfile))
        if left:
            raise DockerError(left.pop(0))
        return {"containerimage.digest": "sha256:0"}

    monkeypatch.setattr(buildx, "_run", once)
    return tried


LOST = "BuildKit failed: failed to prepare extraction snapshot: parent snapshot x does not exist"


def test_a_lost_snapshot_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _fails(monkeypatch, LOST)
    assert run_build(Build("FROM a", {}), _quiet) == {"containerimage.digest": "sha256:0"}
    assert len(tried) == 2


def test_a_snapshot_that_stays_lost_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _fails(monkeypatch, LOST, LOST)
    with pytest.raises(DockerError, match="parent snapshot"):
        run_build(Build("FROM a", {}), _quiet)
    assert len(tried) == 2


def test_another_failure_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _fails(monkeypatch, "BuildKit failed: no space left on device")
    with pytest.raises(DockerError, match="no space left"):
        run_build(Build("FROM a", {}), _quiet)
    assert len(tried) == 1
