"""The pet's entrypoint and wrappers, on volumes in every state, in each shell that a base may have.

Whatever they find, a release comes up, and at the version that was permanent where it can.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from imagesmith.beam.terms import consult
from tests.image.petroot import ERTS, NEXT, SHELLS, PetRoot


@pytest.fixture
def pet(tmp_path: Path) -> PetRoot:
    return PetRoot(tmp_path).make_image()


@pytest.fixture
def upgraded(pet: PetRoot) -> PetRoot:
    """Its volume is at the next version, confirmed."""
    pet.serves()
    pet.confirm()
    return pet


def test_a_fresh_volume_becomes_a_release_root_of_links(pet: PetRoot) -> None:
    assert pet.serves() == "0.1.0"
    volume, app = pet.volume, pet.app
    assert (volume / "lib/jason-1.4.0").readlink() == app / "lib/jason-1.4.0"
    assert (volume / f"erts-{ERTS}").readlink() == app / f"erts-{ERTS}"
    # A relative link would lead nowhere here.
    assert (volume / "releases/0.1.0/consolidated").readlink() == app / "consolidated"
    assert (volume / "releases/0.1.0/consolidated/Elixir.String.Chars.beam").is_file()
    assert (volume / "NOTES").is_symlink()
    assert (volume / ".env").read_text() == "HIDDEN=yes\n"
    assert (volume / "bin/notes.txt").read_text() == "beside the scripts"
    assert (volume / "releases/start_erl.data").read_text() == f"{ERTS} 0.1.0"
    assert (volume / "releases/RELEASES").read_bytes() == (app / "releases/RELEASES").read_bytes()
    digest = (volume / ".imagesmith/image").read_text()
    assert (volume / "releases/0.1.0/digest").read_text() == digest
    assert f"digest='{digest.strip()}'" in (app / "pet/release").read_text()
    assert (volume / ".imagesmith/permanent").read_text() == "0.1.0\n"
    assert not list(volume.rglob("COOKIE"))
    assert not (volume / "image-bin").exists()


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_shell_that_a_base_may_have_does_the_same(tmp_path: Path, shell: str) -> None:
    pet = PetRoot(tmp_path, shell).make_image()
    assert pet.serves() == "0.1.0"
    fresh = pet.listing()
    assert (pet.start().stderr, pet.listing()) == ("", fresh)
    pet.confirm()
    whole = pet.listing()
    for lost in ("releases/start_erl.data", "releases/RELEASES", f"releases/{NEXT}/RELEASES"):
        (pet.volume / lost).write_text("[")
    assert pet.wrapper("migrate", "a b").stdout == f"{pet.volume} {NEXT} migrate a b\n"
    (pet.volume / "lib/jason-1.4.0").unlink()
    assert pet.serves() == NEXT
    made = pet.listing()
    assert made.keys() == whole.keys()
    assert {path for path in made if made[path] != whole[path]} == {
        "releases/RELEASES",  # the same term
        f"releases/{NEXT}/RELEASES",
    }
    (pet.volume / f"lib/shop-{NEXT}/ebin/shop.app").unlink()
    shutil.rmtree(pet.volume / f"lib/shop-{NEXT}/ebin")
    assert pet.serves() == "0.1.0"
    assert list(pet.marks.glob("aside-*"))


def test_a_second_start_changes_nothing_and_says_nothing(pet: PetRoot) -> None:
    pet.serves()
    before = pet.listing()
    again = pet.start()
    assert (again.returncode, again.stderr) == (0, "")
    assert pet.listing() == before


def test_a_confirmed_upgrade_is_what_starts(upgraded: PetRoot) -> None:
    started = upgraded.start()
    assert started.stdout == f"{upgraded.volume} {NEXT} shop start\n"
    assert f"starting shop {NEXT} from {upgraded.volume} (the image brings 0.1.0)" in started.stderr


def test_the_wrappers_run_the_scripts_of_the_permanent_version(upgraded: PetRoot) -> None:
    assert upgraded.wrapper("migrate", "now").stdout == f"{upgraded.volume} {NEXT} migrate now\n"


def test_a_wrapper_runs_the_version_that_it_is_asked_for(upgraded: PetRoot) -> None:
    asked = upgraded.wrapper("shop", "eval", RELEASE_VSN="0.1.0")
    assert asked.stdout == f"{upgraded.volume} 0.1.0 shop eval\n"


def test_an_upgrade_that_was_not_confirmed_is_forgotten_and_can_be_applied_again(
    pet: PetRoot,
) -> None:
    pet.serves()
    before = (pet.volume / "releases/RELEASES").read_bytes()
    pet.install()
    (pet.marks / "new-0a").mkdir()
    assert pet.serves() == "0.1.0"
    assert (pet.volume / "releases/RELEASES").read_bytes() == before
    assert not (pet.marks / "new-0a").exists()
    assert (pet.volume / f"lib/shop-{NEXT}").is_dir()


def test_a_lock_goes_whose_owner_had_no_time_to_say_who_it_is(upgraded: PetRoot) -> None:
    lock = upgraded.marks / "lock"
    lock.mkdir()
    assert upgraded.serves() == NEXT
    assert not lock.exists()
    lock.mkdir()
    (lock / "owner").write_text("{}\n")
    assert upgraded.serves() == NEXT
    assert lock.exists()


@pytest.mark.parametrize("data", ["", f"{ERTS} ", f"{ERTS} 9.9.9\n", "\0\0\0\0", "* *"])
def test_where_start_erl_data_is_damaged_the_confirmed_version_starts(
    upgraded: PetRoot, data: str
) -> None:
    file = upgraded.volume / "releases/start_erl.data"
    file.write_text(data)
    assert upgraded.wrapper("shop", "rpc").stdout == f"{upgraded.volume} {NEXT} shop rpc\n"
    started = upgraded.start()
    assert started.stdout == f"{upgraded.volume} {NEXT} shop start\n"
    assert "start_erl.data was damaged" in started.stderr
    assert file.read_text() == f"{ERTS} {NEXT}\n"


def test_where_start_erl_data_and_our_own_record_disagree_the_former_is_right(
    upgraded: PetRoot,
) -> None:
    (upgraded.marks / "permanent").write_text("0.1.0\n")
    assert upgraded.serves() == NEXT
    assert (upgraded.marks / "permanent").read_text() == f"{NEXT}\n"


def test_half_a_releases_file_is_made_whole(upgraded: PetRoot) -> None:
    file = upgraded.volume / "releases/RELEASES"
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    assert upgraded.serves() == NEXT
    assert file.read_text() == whole


def test_where_both_copies_of_releases_are_lost_the_rel_file_tells_it(upgraded: PetRoot) -> None:
    file = upgraded.volume / "releases/RELEASES"
    copy = upgraded.volume / f"releases/{NEXT}/RELEASES"
    expected = consult(file.read_bytes())
    file.write_text("[{release,")
    copy.unlink()
    assert upgraded.serves() == NEXT
    assert consult(file.read_bytes()) == expected
    assert copy.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "lost", ["bin", ".imagesmith", "lib/jason-1.4.0", f"erts-{ERTS}", ".imagesmith/permanent"]
)
def test_what_is_lost_and_can_be_made_again_is(upgraded: PetRoot, lost: str) -> None:
    path = upgraded.volume / lost
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    assert upgraded.serves() == NEXT
    assert upgraded.serves() == NEXT
    assert path.exists()


@pytest.mark.parametrize(
    "lost", [f"lib/shop-{NEXT}", f"releases/{NEXT}", f"releases/{NEXT}/consolidated", "releases"]
)
def test_where_what_an_upgrade_brought_is_lost_the_image_starts_and_the_rest_is_kept(
    upgraded: PetRoot, lost: str
) -> None:
    shutil.rmtree(upgraded.volume / lost)
    rest = (upgraded.volume / "lib").is_dir() and any(
        path.is_dir() and not path.is_symlink() for path in (upgraded.volume / "lib").iterdir()
    )
    started = upgraded.start()
    assert started.stdout == f"{upgraded.volume} 0.1.0 shop start\n"
    assert "damaged beyond repair: 0.1.0 starts from this image" in started.stderr
    assert len(list(upgraded.marks.glob("aside-*"))) == rest
    assert upgraded.serves() == "0.1.0"


def test_a_volume_of_another_image_is_set_aside_and_the_image_starts(upgraded: PetRoot) -> None:
    upgraded.make_image("another release")
    started = upgraded.start()
    assert started.stdout == f"{upgraded.volume} 0.1.0 shop start\n"
    assert "belongs to another image: 0.1.0 starts from this one" in started.stderr
    (aside,) = upgraded.marks.glob("aside-*")
    assert f"({NEXT}) are kept in {aside}" in started.stderr
    assert (aside / f"lib/shop-{NEXT}").is_dir()
    assert (aside / "releases/start_erl.data").read_text() == f"{ERTS} {NEXT}\n"
    (line,) = (upgraded.marks / "history").read_text().splitlines()
    event = json.loads(line)
    assert (event["action"], event["from"], event["to"]) == ("set aside", NEXT, "0.1.0")
    assert event["detail"] == str(aside)


def test_upgrades_that_are_set_aside_survive_a_visit_of_a_third_image(upgraded: PetRoot) -> None:
    for note in ("another release", "a third"):
        upgraded.make_image(note).serves()
    (aside,) = upgraded.marks.glob("aside-*")
    assert (aside / f"lib/shop-{NEXT}").is_dir()


def test_links_of_another_image_do_not_stay(upgraded: PetRoot) -> None:
    (upgraded.volume / "OLD_NOTES").symlink_to(upgraded.app / "OLD_NOTES")
    (upgraded.volume / "lost+found").mkdir()
    upgraded.make_image("another release").serves()
    assert not (upgraded.volume / "OLD_NOTES").is_symlink()
    assert (upgraded.volume / "lost+found").is_dir()


def test_a_folder_that_is_no_upgrade_volume_is_left_alone(pet: PetRoot) -> None:
    (pet.volume / "lib").mkdir()
    (pet.volume / "lib/thesis.txt").write_text("mine")
    for _ in range(2):
        started = pet.start()
        assert started.stdout == f"{pet.app} of the image shop start\n"
        assert "is no upgrade volume, and holds what is not ours" in started.stderr
    assert pet.listing() == {"lib/thesis.txt": b"mine".hex()}


def test_without_a_volume_the_image_runs_and_says_how_to_have_one(pet: PetRoot) -> None:
    (pet.folder / "mounts").write_text("22 1 8:1 / / rw - ext4 /dev/a rw\n")
    started = pet.start()
    assert started.stdout == f"{pet.app} of the image shop start\n"
    assert "not upgradable" in started.stderr
    assert f"--mount type=volume,source=NAME,target={pet.volume}" in started.stderr
    assert pet.listing() == {}


def test_a_resolved_configuration_that_went_with_tmpfs_is_the_pristine_one_again(
    upgraded: PetRoot,
) -> None:
    for version in ("0.1.0", NEXT):
        config = upgraded.volume / f"releases/{version}/sys.config"
        config.with_name("sys.config.pristine").write_text("pristine")
        config.unlink()
        config.symlink_to("/nowhere/resolved.config")
    assert upgraded.serves() == NEXT
    for version in ("0.1.0", NEXT):
        config = upgraded.volume / f"releases/{version}/sys.config"
        assert not config.is_symlink()
        assert config.read_text() == "pristine"


def test_a_link_to_a_resolved_configuration_where_there_was_none_goes(upgraded: PetRoot) -> None:
    config = upgraded.volume / f"releases/{NEXT}/sys.config"
    config.unlink()
    config.symlink_to("/nowhere/resolved.config")
    assert upgraded.serves() == NEXT
    assert not config.is_symlink()


def test_a_volume_folder_named_consolidated_is_asked_for_only_where_there_is_one(
    upgraded: PetRoot,
) -> None:
    own = upgraded.volume / f"releases/{NEXT}"
    shutil.rmtree(own / "consolidated")
    (own / "relup").write_text('[{del_path, "/lib/../releases/0.1.0/consolidated"}].')
    assert upgraded.serves() == NEXT


def test_other_commands_run_as_they_are(pet: PetRoot) -> None:
    assert pet.start("sh", "-c", "echo $0 $1", "a", "b c").stdout == "a b c\n"
    assert pet.start("bin/migrate").stdout == f"{pet.volume} 0.1.0 migrate \n"
    assert pet.start("sh", "-c", "exit 3").returncode == 3
    assert pet.start("no-such-command").returncode == 127


def test_the_applications_environment_is_its_own(pet: PetRoot) -> None:
    mine = dict.fromkeys(("version", "name", "volume", "now", "found", "digest", "at"), "mine")
    show = ("sh", "-c", "echo $version $name $volume $now $found $digest $at")
    for _ in range(2):
        assert pet.start(*show, **mine).stdout == "mine mine mine mine mine mine mine\n"
    (pet.app / "image-bin/migrate").write_text("#!/bin/sh\nenv\n")
    shutil.copy(pet.app / "image-bin/migrate", pet.volume / "bin/migrate")
    seen = dict(line.split("=", 1) for line in pet.wrapper("migrate", **mine).stdout.splitlines())
    assert {name: seen[name] for name in mine} == mine
    assert not [name for name in seen if name.startswith("smith_")]
    assert seen["ERL_ROOTDIR"] == str(pet.volume)
    assert seen["RELDIR"] == f"{pet.volume}/releases"
