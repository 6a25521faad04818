"""Generated appups of OTP's own applications, from Debian 12's to Debian 13's: hundreds of modules,
with supervisors, special processes, and calls in circles."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from imagesmith.beam.term import Atom, text
from imagesmith.beam.terms import consult, format_term
from imagesmith.plan.appup import OtherVersions, find_appup
from imagesmith.plan.change import Change
from imagesmith.plan.code import Running
from imagesmith.plan.generate import generate
from imagesmith.upgrade.relup import Relup, parse_relup
from imagesmith.upgrade.systools import EXPRESSION, RESULT, stage
from tests.otp import BELOW, libraries, running
from tests.shop import tool

pytestmark = pytest.mark.release

UNTOUCHED = {*BELOW, "erts", "compiler"}


@pytest.fixture(scope="module")
def otp(tmp_path_factory: pytest.TempPathFactory) -> tuple[Running, Running]:
    """The applications that both have, on the kernel, stdlib and sasl of this machine."""
    say = "io:put_chars(code:lib_dir()), halt()."
    erl = ("erl", "-noinput", "-eval", say)
    here = Path(subprocess.run(erl, check=True, capture_output=True, text=True).stdout)
    there = Path(tool("trixie"), "usr/lib/erlang/lib")
    names = (libraries(here).keys() & libraries(there).keys()) - UNTOUCHED
    assert {"asn1", "inets", "mnesia", "ssl"} <= names
    folder = tmp_path_factory.mktemp("otp")
    return (
        running(folder / "old", here, names, "1", here),
        running(folder / "new", there, names, "2", here),
    )


def changes(before: Running, after: Running) -> list[Change]:
    return [
        Change(name, before.applications[name].version, new.version)
        for name, new in after.applications.items()
        if before.applications[name].version != new.version
    ]


def made_by_systools(before: Running, after: Running, folder: Path) -> Relup:
    """By this machine's systools, of generated appups; it has to find no fault with them."""
    appups = {
        change.name: generate(before, after, change).data for change in changes(before, after)
    }
    stage(before.release, after.release, appups, folder)
    subprocess.run(
        ["erl", "-noinput", "-eval", EXPRESSION],
        cwd=folder,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        timeout=120,
    )
    match consult((folder / RESULT).read_bytes()):
        case [(Atom() as tag, relup)] if str(tag) == "ok":
            return parse_relup(f"{format_term(relup)}.".encode(), "systools'")
        case [(_, problem)]:
            raise AssertionError(text(problem))
    raise AssertionError("no answer")


def test_systools_takes_them_all(otp: tuple[Running, Running], tmp_path: Path) -> None:
    before, after = otp
    made = made_by_systools(before, after, tmp_path)
    old, new = (
        {
            module: digest
            for change in changes(before, after)
            for module, digest in side.code(change.name).modules.items()
        }
        for side in otp
    )
    # Among them is `instrument`, which moved from tools to runtime_tools.
    differing = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    assert len(differing) > 200
    for way in (made.up, made.down):
        touched = {
            str(item[1][0])
            for item in way
            if isinstance(item, tuple)
            and isinstance(item[1], tuple)
            and str(item[0]) in ("load", "remove")
        }
        assert touched == differing


def test_otp_itself_restarts_what_ours_change_in_place(otp: tuple[Running, Running]) -> None:
    """Its appups are made by a rule of its own: they restart the whole application, and with it
    whatever it holds. docs/appups.md judges it."""
    before, after = otp
    for change in changes(before, after):
        application = after.applications[change.name]
        try:
            theirs = find_appup(None, after.release, application, change.before or "")
        except OtherVersions:
            continue
        if theirs is not None:
            assert theirs.modules(change.name) is None
