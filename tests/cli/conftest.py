"""The command line in this process, in a folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagesmith.cli import main
from tests.trees import make_release


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


Smith = Callable[..., Done]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, where no Docker answers and the cache is empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("IMAGESMITH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A small release outside of the current folder."""
    return make_release(tmp_path / "release")


@pytest.fixture
def smith(here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Smith:
    """Run `imagesmith ARGUMENT…`."""

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["imagesmith", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        said = capfd.readouterr()
        return Done(code, said.out, said.err)

    return run
