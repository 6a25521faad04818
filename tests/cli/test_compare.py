"""`imagesmith compare` as it is typed, as far as it needs no Docker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.beam.beams import module
from tests.cli.conftest import Smith
from tests.trees import App, make_release

OTP = (App("kernel", "8.5.3", ("code",), ()), App("stdlib", "4.2", ("lists",), ("kernel",)))
WITHOUT_EXTRA = """\
import sys
sys.modules.update(docker=None, aiohttp=None)
from imagesmith.cli import main
main()
"""
"""A module that is None there is not to be had (docs.python.org, "The import system")."""


@pytest.fixture(autouse=True)
def releases(here: Path) -> Path:
    """Two versions of a shop, and a recipe."""
    for version, code in (("0.1.0", b"one"), ("0.2.0", b"two")):
        own = App("shop", version, ("Elixir.Shop",))
        release = make_release(here / version, version=version, applications=(*OTP, own))
        beam = release / own.folder / "ebin/Elixir.Shop.beam"
        beam.write_bytes(module({b"Code": code.ljust(8, b"\0")}, name="Elixir.Shop"))
    (here / "imagesmith.yml").write_text(
        "version: 1\nrelease: {path: 0.2.0}\nprobe: {http: /health, port: 4000}\n"
    )
    return here


@pytest.mark.parametrize(
    "words",
    [
        ("--settle", "-3"),
        ("--settle", "nan"),
        ("--settle", "0"),
        ("--drain", "-1"),
        ("--ready", "-1"),
        ("--ready", "inf"),
        ("--cpus", "0"),
        ("--cpus", "-2"),
        ("--jitter", "nan"),
        ("--replicas", "21"),
        ("--connections", "50001"),
        ("--rate", "10001"),
        ("--repeat", "0"),
    ],
)
def test_a_number_out_of_bounds_is_refused(smith: Smith, words: tuple[str, str]) -> None:
    done = smith("compare", "--from", "0.1.0", *words, "--dry-run")
    assert done.code == 2
    assert done.stderr.startswith(f"imagesmith: {words[0]} {words[1].partition('.')[0]}")
    assert "should be" in done.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--from", "0.1.0", "--dry-run"), ("here no Docker answers", "rolling: ")),
        (("--help",), ("--dry-run",)),
    ],
)
def test_a_dry_run_and_the_help_need_neither_docker_nor_the_extra(
    words: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, "compare", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert all(text in done.stdout for text in shown)


def test_a_history_that_is_none_is_told_in_a_dry_run_too(smith: Smith) -> None:
    done = smith("compare", "--from", "0.1.0", "--dry-run", "--history", "nothing-*")
    assert done.code == 2
    assert "--history nothing-*" in done.stderr


def test_a_change_from_a_release_to_itself_is_none(smith: Smith) -> None:
    done = smith("compare", "--from", "0.2.0/../0.2.0", "--dry-run")
    assert done.code == 2
    assert "OLD and NEW are one and the same release" in done.stderr


def test_a_variable_without_a_name_may_be_a_secret(smith: Smith) -> None:
    done = smith("compare", "--from", "0.1.0", "--env", "=s3cret", "--dry-run")
    assert done.code == 2
    assert "--env: a variable has no name" in done.stderr
    assert "s3cret" not in done.stderr
