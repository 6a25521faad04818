"""`build --upgrade-from`: what is asked wrongly is said before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Smith

PET = ("--mode", "pet")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--upgrade-from", "x.tar"), "--upgrade-from: only a pet is upgraded"),
        ((*PET, "--bundle", "x.tar"), "--bundle: there is no upgrade to bundle"),
        ((*PET, "--upgrade-from", "nothing"), "there is no such folder, archive or image"),
        ((*PET, "--upgrade-from", "oci:nothing"), "this is no OCI layout"),
        (
            (*PET, "--upgrade-from", "x", "--bundle", "host/UPPER:1"),
            "--bundle host/UPPER:1: this is no",
        ),
    ],
)
def test_what_is_asked_wrongly_is_said(
    smith: Smith, release: Path, here: Path, options: tuple[str, ...], said: str
) -> None:
    done = smith("build", release, *options)
    assert done.code != 0
    assert said in done.stderr
    assert list(here.iterdir()) == []


def test_many_releases_have_no_single_old(smith: Smith, release: Path, here: Path) -> None:
    recipe = here / "imagesmith.yml"
    recipe.write_text(f"version: 1\nreleases: {{a: {{path: {release}}}, b: {{path: {release}}}}}\n")
    done = smith("build", *PET, "--upgrade-from", release, "-t", "{release}:1")
    assert done.code == 2
    assert "--upgrade-from: there are 2 releases" in done.stderr


def test_a_release_without_sasl_is_refused_and_nothing_is_written(
    smith: Smith, release: Path, here: Path
) -> None:
    done = smith("build", release, *PET, "--upgrade-from", release)
    assert done.code == 1
    for reason in ("both are of version 0.1.0", "OLD has no sasl", "NEW has no sasl"):
        assert f"- {reason}" in done.stderr
    assert list(here.iterdir()) == []
