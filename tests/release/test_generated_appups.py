"""Generated appups of real releases: OTP's systools takes them, and they leave nothing out that a
person's have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.beam.release import read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.tree import Folder
from imagesmith.plan.appup import find_appup
from imagesmith.plan.code import Running
from imagesmith.plan.generate import GENERATED
from imagesmith.plan.plan import Plan, make_plan
from imagesmith.upgrade.relup import Relup
from imagesmith.upgrade.systools import make_relup, on_this_host
from tests.echo import build_echo, build_next_echo
from tests.shop import SHOP

pytestmark = pytest.mark.release

STRENGTH = {
    "add_module": 1,
    "delete_module": 1,
    "load_module": 1,
    "update soft": 2,
    "update supervisor": 3,
    "update advanced": 3,
}
"""What more is done to a module's processes; a supervisor's update is an advanced one."""


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("echoes")
    old = build_echo("--work", str(folder / "old"))
    return {"0.1.0": old, "0.2.0": build_next_echo(folder / "new")}


def planned(old: Path, new: Path) -> tuple[Running, Running, Plan]:
    """Both, and the plan, in which every appup is a generated one."""
    before, after = (Running(read_release(Folder(place))) for place in (old, new))
    plan = make_plan(before, after, None)
    plan.check_hot()
    assert {appup.place for appup in plan.appups.values()} == {GENERATED}
    return before, after, plan


def relup(before: Running, after: Running, plan: Plan, scratch: Path) -> Relup:
    """As the systools of the release's own runtime system makes it."""
    scratch.mkdir()
    appups = {name: appup.data for name, appup in plan.appups.items()}
    made, warnings = make_relup(
        before.release, after.release, appups, scratch, on_this_host(after.release)
    )
    assert warnings == []
    return made


def words(instructions: tuple[Term, ...]) -> list[str]:
    """Low-level instructions, in short."""
    found = []
    for instruction in instructions:
        match instruction:
            case (Atom() as tag, (Atom() as module, _, _)) if str(tag) in ("load", "remove"):
                found.append(f"{tag} {module}")
            case (Atom() as tag, (_, Atom() as function, _)) if tag == Atom("apply"):
                found.append(str(function))
            case (Atom() as tag, list(held)) if str(tag) in ("suspend", "resume"):
                found.append(f"{tag} {' '.join(map(str, held))}")
            case (Atom() as tag, Atom() as way, list(held)):
                names = " ".join(str(item[0]) for item in held if isinstance(item, tuple))
                found.append(f"{tag} {way} {names}")
    return found


VERSIONS = [("0.1.0", "0.2.0"), ("0.2.0", "0.3.0"), ("0.1.0", "0.3.0")]


@pytest.mark.parametrize(("old", "new"), VERSIONS)
def test_systools_takes_those_of_the_shop(
    old: str, new: str, shop_versions: dict[str, Path], tmp_path: Path
) -> None:
    before, after, plan = planned(shop_versions[old], shop_versions[new])
    made = relup(before, after, plan, tmp_path / "work")
    for way, appups in ((made.up, "up"), (made.down, "down")):
        loaded = {word.split()[1] for word in words(way) if word.startswith(("load ", "remove "))}
        wanted = {
            module
            for name, appup in plan.appups.items()
            for module in appup.modules(name, down=appups == "down") or ()
        }
        assert loaded == wanted


def test_systools_takes_those_of_the_echo(echoes: dict[str, Path], tmp_path: Path) -> None:
    made = relup(*planned(echoes["0.1.0"], echoes["0.2.0"]), tmp_path / "work")
    assert words(made.up) == [
        "load echo_tally",
        "suspend echo_counter",
        "load echo_counter",
        "load echo_line",
        "code_change up echo_counter",
        "resume echo_counter",
        "suspend echo_sup",
        "load echo_sup",
        "code_change up echo_sup",
        "resume echo_sup",
        "restart_child",
    ]
    assert words(made.down) == [
        "terminate_child",
        "delete_child",
        "suspend echo_sup",
        "load echo_sup",
        "code_change down echo_sup",
        "resume echo_sup",
        "suspend echo_counter",
        "code_change down echo_counter",
        "load echo_line",
        "load echo_counter",
        "resume echo_counter",
        "remove echo_tally",
    ]


@pytest.mark.parametrize(("old", "new"), VERSIONS[:2])
def test_they_do_at_least_what_a_persons_do(
    old: str, new: str, shop_versions: dict[str, Path]
) -> None:
    _, after, plan = planned(shop_versions[old], shop_versions[new])
    assert len(plan.appups) == 4
    for name, appup in plan.appups.items():
        by_hand = find_appup(SHOP / "appups", after.release, after.applications[name], old)
        assert by_hand
        for ours, theirs in ((appup.up, by_hand.up), (appup.down, by_hand.down)):
            done = strengths(ours)
            for module, strength in strengths(theirs).items():
                assert done.get(module, 0) >= strength, (name, module)


def strengths(instructions: list[Term]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for instruction in instructions:
        match instruction:
            case (Atom() as word, Atom() as module, (Atom() as kind, _), *_):
                found[str(module)] = STRENGTH[f"{word} {kind}"]
            case (Atom() as word, Atom() as module, Atom() as kind):
                found[str(module)] = STRENGTH[f"{word} {kind}"]
            case (Atom() as word, Atom() as module, *_):
                found[str(module)] = STRENGTH[
                    "update soft" if word == Atom("update") else str(word)
                ]
    return found
