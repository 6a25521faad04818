"""The entrypoint is killed before any of the commands that change the volume: the next start does
what the killed one would have done."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.image.petroot import NEXT, PetRoot

SEED = 20
SAMPLE = 6


def _fresh(pet: PetRoot) -> None:
    pet.make_image()


def _damaged(pet: PetRoot) -> None:
    pet.make_image().serves()
    pet.confirm()
    for file in ("start_erl.data", "RELEASES", f"{NEXT}/RELEASES"):
        (pet.volume / "releases" / file).write_text("")
    shutil.rmtree(pet.volume / "bin")
    (pet.volume / "lib/jason-1.4.0").unlink()
    config = pet.volume / f"releases/{NEXT}/sys.config"
    config.rename(f"{config}.pristine")
    config.symlink_to("/nowhere")


def _of_another_image(pet: PetRoot) -> None:
    pet.make_image().serves()
    pet.confirm()
    pet.make_image("another release")


def _beyond_repair(pet: PetRoot) -> None:
    pet.make_image().serves()
    pet.confirm()
    pet.bring("0.3.0")
    shutil.rmtree(pet.volume / f"lib/shop-{NEXT}")


BEFORE: Mapping[str, Callable[[PetRoot], None]] = {
    "fresh": _fresh,
    "damaged": _damaged,
    "of another image": _of_another_image,
    "beyond repair": _beyond_repair,
}


def _commands(pet: PetRoot) -> int:
    """How many commands that change the volume a start takes that is not killed."""
    assert not pet.start_killed(at=0)
    return int((pet.folder / "shims/count").read_text())


@pytest.mark.parametrize("case", [pytest.param("all", marks=pytest.mark.soak), "some"])
@pytest.mark.parametrize("state", BEFORE)
def test_a_start_that_was_killed_is_made_good_by_the_next(
    tmp_path: Path, state: str, case: str
) -> None:
    pet, before = PetRoot(tmp_path), tmp_path / "before"
    BEFORE[state](pet)
    shutil.copytree(pet.volume, before, symlinks=True)
    version, expected = pet.serves(), _state(pet)
    _reset(pet, before)
    moments = range(1, _commands(pet) + 1)
    for at in moments if case == "all" else random.Random(SEED).sample(moments, SAMPLE):
        _reset(pet, before)
        assert pet.start_killed(at), at
        assert pet.serves() == version, at
        assert _state(pet) == expected, at


def _reset(pet: PetRoot, before: Path) -> None:
    shutil.rmtree(pet.volume)
    shutil.copytree(before, pet.volume, symlinks=True)


def _state(pet: PetRoot) -> dict[str, str]:
    """The listing, whenever it was that upgrades were set aside."""
    aside = next(pet.marks.glob("aside-*"), Path("aside-TIME")).name
    return {path.replace(aside, "aside-TIME"): what for path, what in pet.listing().items()}
