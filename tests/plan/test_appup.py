"""Which appup leads an application on, and what is wrong with one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.beam.release import Application, Release, read_release
from imagesmith.beam.tree import Folder
from imagesmith.errors import UpgradeError
from imagesmith.plan.appup import Appup, OtherVersions, find_appup
from tests.trees import APPLICATIONS, App, make_release

BOTH = '{{"2.0.0", [{{{old}, {up}}}], [{{{old}, {down}}}]}}.'


def text(up: str = "[]", down: str = "[]", old: str = '"1.0.0"') -> str:
    return BOTH.format(old=old, up=up, down=down)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    own = App("mine", "2.0.0", ("mine",))
    return read_release(Folder(make_release(tmp_path / "rel", applications=[*APPLICATIONS, own])))


def find(folder: Path | None, release: Release) -> Appup | None:
    return find_appup(folder, release, mine(release), "1.0.0")


def mine(release: Release) -> Application:
    return next(item for item in release.applications if item.name == "mine")


def put(path: Path, data: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data)


def test_the_releases_version_goes_before_the_applications_and_that_before_none(
    release: Release, tmp_path: Path
) -> None:
    own = tmp_path / "rel/lib/mine-2.0.0/ebin/mine.appup"
    put(own, text())
    again = read_release(Folder(tmp_path / "rel"))
    places = [tmp_path / f"ups/{version}mine.appup" for version in ("", "2.0.0/", "0.1.0/")]
    assert find(None, release) is None
    found = find(tmp_path / "ups", again)
    assert found and found.place.endswith("ebin/mine.appup")
    for place in places:
        put(place, text())
        found = find(tmp_path / "ups", again)
        assert found and found.place == str(place)


def test_an_appup_for_other_versions_lets_another_have_a_say(
    release: Release, tmp_path: Path
) -> None:
    put(tmp_path / "0.1.0/mine.appup", text(old='"0.9.0"'))
    put(tmp_path / "mine.appup", text())
    found = find(tmp_path, release)
    assert found and found.place == str(tmp_path / "mine.appup")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", "mine.appup:1:2"),
        ("[].", "should hold"),
        ('{"3.0.0", [], []}.', "it leads to mine 3.0.0, and NEW has 2.0.0"),
        ('{"2.0.0", [{"0.9.0", []}], []}.', "no way from mine 1.0.0"),
        ('{"2.0.0", [{"1.0.0", []}], []}.', "no way back to mine 1.0.0"),
        ('{"2.0.0", [{<<"(">>, []}], []}.', "no regular expression"),
        ('{"2.0.0", [{"1.0.0", x}], []}.', "no list of instructions"),
        ("{2, [], []}.", "a version"),
    ],
)
def test_an_appup_that_does_not_lead_there_and_back_is_refused(
    data: str, said: str, release: Release, tmp_path: Path
) -> None:
    put(tmp_path / "mine.appup", data)
    with pytest.raises(UpgradeError) as refused:
        find(tmp_path, release)
    assert said in refused.value.message


def test_of_many_in_one_file_the_first_counts_as_it_does_to_systools(
    release: Release, tmp_path: Path
) -> None:
    put(tmp_path / "mine.appup", text() + '\n{"1.0.0", [{"0.9.0", []}], [{"0.9.0", []}]}.')
    assert find(tmp_path, release)


@pytest.mark.parametrize("data", ['{"3.0.0", [], []}.', '{"2.0.0", [{"0.9.0", []}], []}.'])
def test_one_that_leads_elsewhere_is_told_from_one_that_is_wrong(
    data: str, release: Release, tmp_path: Path
) -> None:
    put(tmp_path / "mine.appup", data)
    with pytest.raises(OtherVersions):
        find(tmp_path, release)


def test_a_version_may_be_a_regular_expression(release: Release, tmp_path: Path) -> None:
    put(tmp_path / "mine.appup", text(old='<<"1\\\\.[0-9.]+">>'))
    assert find(tmp_path, release)
    put(tmp_path / "mine.appup", text(old='<<"1">>'))
    with pytest.raises(UpgradeError, match="no way from"):
        find(tmp_path, release)


def test_it_tells_which_modules_it_names(release: Release, tmp_path: Path) -> None:
    up = (
        "[{load_module, a, [b]}, {update, c, {advanced, []}}, {load, {d, x, y}}, "
        "{apply, {m, f, []}}]"
    )
    put(tmp_path / "mine.appup", text(up, "[{delete_module, a}, {restart_application, mine}]"))
    found = find(tmp_path, release)
    assert found
    assert found.modules("mine") == frozenset("acd")
    assert found.modules("mine", down=True) is None  # all of them
    assert not found.restarts


def test_a_restart_of_the_runtime_system_is_told(release: Release, tmp_path: Path) -> None:
    put(tmp_path / "mine.appup", text("[restart_new_emulator]"))
    found = find(tmp_path, release)
    assert found and found.restarts
