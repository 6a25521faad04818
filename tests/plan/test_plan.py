"""What stands against a hot upgrade, and that all of it is said at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from imagesmith.beam.release import read_release
from imagesmith.beam.tree import Folder
from imagesmith.errors import UpgradeError
from imagesmith.plan.code import Running
from imagesmith.plan.plan import Plan, make_plan
from imagesmith.plan.reason import Verdict
from tests.beam.beams import module
from tests.trees import App, elf, make_release, make_relx_release

OTP = (
    App("kernel", "8.5.3", ("code",), ()),
    App("stdlib", "4.2", ("lists",), ("kernel",)),
    App("sasl", "4.2", ("systools",)),
)
ELIXIR = App("elixir", "1.14.0", ("Elixir.Enum",))
APPUP = '{{"{new}", [{{"{old}", {up}}}], [{{"{old}", {up}}}]}}.\n'


def own(version: str, *modules: str, **files: bytes) -> App:
    return App("own", version, modules or ("a",), files={f"priv/{k}": v for k, v in files.items()})


class Lab:
    """Two releases, changed as a test wants them, and a folder of appups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.appups = folder / "appups"
        self.appups.mkdir()

    def release(self, name: str, *applications: App, version: str, erts: str = "13.1.5") -> Path:
        return make_release(
            self.folder / name,
            version=version,
            erts=erts,
            applications=[*OTP, ELIXIR, *applications],
        )

    def old(self, *applications: App) -> Path:
        return self.release("old", *applications, version="1")

    def new(self, *applications: App) -> Path:
        return self.release("new", *applications, version="2")

    def appup(self, up: str = "[]", name: str = "own") -> None:
        (self.appups / f"{name}.appup").write_text(APPUP.format(old="1.0.0", new="2.0.0", up=up))

    def change(self, release: Path, path: str, chunk: bytes = b"Code") -> None:
        file = release / path
        file.write_bytes(module({chunk: b"\0\0\0\x10other!!!"}, name=file.stem))

    def plan(self, *, checked: bool = True) -> Plan:
        old, new = (Running(read_release(Folder(self.folder / name))) for name in ("old", "new"))
        plan = make_plan(old, new, self.appups)
        if checked:
            plan.check_hot()
        return plan

    def refused(self) -> str:
        with pytest.raises(UpgradeError) as refused:
            self.plan()
        assert refused.value.hint
        return refused.value.message


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def names(plan: Plan) -> Sequence[tuple[str, str | None, str | None]]:
    return [(change.name, change.before, change.after) for change in plan.changes]


def test_a_changed_application_with_a_whole_appup_is_hot(lab: Lab) -> None:
    lab.old(own("1.0.0", "a", "b"))
    lab.change(lab.new(own("2.0.0", "a", "c")), "lib/own-2.0.0/ebin/a.beam")
    lab.appup("[{load_module, a}, {delete_module, b}, {add_module, c}]")
    plan = lab.plan()
    assert names(plan) == [("own", "1.0.0", "2.0.0")]
    assert plan.appups.keys() == {"own"}


def test_applications_that_come_and_go_need_no_appup(lab: Lab) -> None:
    lab.old(own("1.0.0"), App("gone"))
    lab.new(own("1.0.0"), App("come"))
    assert names(lab.plan()) == [("come", None, "1.0.0"), ("gone", "1.0.0", None)]


def test_moved_lines_are_no_change(lab: Lab) -> None:
    lab.old(own("1.0.0"))
    lab.change(lab.new(own("1.0.0")), "lib/own-1.0.0/ebin/a.beam", b"Line")
    assert names(lab.plan()) == []


@pytest.mark.parametrize("chunk", [b"Code", b"Type", b"LitT"])
def test_code_that_changed_under_one_version_is_refused(lab: Lab, chunk: bytes) -> None:
    lab.old(own("1.0.0"))
    lab.change(lab.new(own("1.0.0")), "lib/own-1.0.0/ebin/a.beam", chunk)
    assert "own is 1.0.0 in both, and yet its modules changed (a)" in lab.refused()


def test_a_priv_file_that_changed_under_one_version_is_refused(lab: Lab) -> None:
    lab.old(own("1.0.0", x=b"1"))
    lab.new(own("1.0.0", x=b"2"))
    assert "its files: priv/x" in lab.refused()


def test_native_code_is_never_changed(lab: Lab) -> None:
    lab.old(own("1.0.0", nif=elf()))
    lab.new(own("2.0.0", nif=elf(183)), App("come", files={"priv/nif": elf()}))
    lab.appup()
    said = lab.refused()
    assert "own: native code changes (priv/nif)" in said
    assert "come 1.0.0 is new and brings native code (priv/nif)" in said


def test_an_application_without_an_appup_gets_a_generated_one(lab: Lab) -> None:
    lab.old(own("1.0.0"), App("kept"))
    lab.change(lab.new(own("2.0.0"), App("kept", "2.0.0")), "lib/own-2.0.0/ebin/a.beam")
    lab.appup("[]", name="kept")
    appups = lab.plan().appups
    assert appups["own"].place == "generated"
    assert appups["own"].modules("own") == frozenset({"a"})
    assert appups["kept"].place == str(lab.appups / "kept.appup")


def test_a_plan_names_each_module_that_differs_and_the_chunks(lab: Lab) -> None:
    lab.old(own("1.0.0", "a", "b", "d"))
    new = lab.new(own("2.0.0", "a", "b", "c"))
    lab.change(new, "lib/own-2.0.0/ebin/a.beam")
    lab.change(new, "lib/own-2.0.0/ebin/b.beam", b"Line")
    found = [(item.module, item.how, item.chunks) for item in lab.plan().modules]
    assert found == [("a", "changed", ("Code",)), ("c", "added", ()), ("d", "removed", ())]


def test_a_plan_names_the_protocols_that_are_consolidated_otherwise(lab: Lab) -> None:
    lab.old(own("1.0.0"))
    lab.change(lab.new(own("1.0.0")), "releases/2/consolidated/Elixir.String.Chars.beam")
    [found] = lab.plan().protocols
    assert (found.application, found.module) == (None, "Elixir.String.Chars")
    assert (found.how, found.chunks) == ("changed", ("Code",))


def test_applications_that_come_and_go_are_remarked_on(lab: Lab) -> None:
    lab.old(own("1.0.0"), App("gone"))
    lab.new(own("1.0.0"), App("come"))
    plan = lab.plan()
    assert plan.verdict is Verdict.HOT
    assert [(item.kind, item.application) for item in plan.told] == [
        ("application-added", "come"),
        ("application-removed", "gone"),
    ]


def test_the_hardest_verdict_counts_and_is_told_first(lab: Lab) -> None:
    lab.old(own("1.0.0"), App("gone"))
    lab.new(own("2.0.0"))
    lab.appup("[{load_module, typo}]")
    plan = lab.plan(checked=False)
    assert plan.verdict is Verdict.RESTART
    assert [item.kind for item in plan.told] == ["appup", "appup", "application-removed"]


@pytest.mark.parametrize(
    "path", ["lib/own-1.0.0/priv/x", "releases/1/sys.config", "releases/1/vm.args"]
)
def test_there_is_nothing_to_do_only_between_releases_that_run_the_same(
    lab: Lab, path: str
) -> None:
    lab.old(own("1.0.0", x=b"1"))
    new = lab.release("new", own("1.0.0", x=b"1"), version="1")
    same = lab.plan(checked=False)
    assert (same.is_same, same.verdict, same.told) == (True, Verdict.HOT, ())
    (new / path).write_bytes(b"[{own,[{a,b}]}]." if "config" in path else b"+S 4:4\n")
    other = lab.plan(checked=False)
    assert (other.is_same, other.verdict) == (False, Verdict.REPLACE)


def test_an_appup_that_leaves_modules_out_is_refused(lab: Lab) -> None:
    lab.old(own("1.0.0", "a", "b"))
    lab.change(lab.new(own("2.0.0", "a", "Elixir.C")), "lib/own-2.0.0/ebin/a.beam")
    lab.appup("[{load_module, a}]")
    said = lab.refused()
    assert "on the way up it leaves out C, b, which changed" in said
    assert "on the way down it leaves out C, b, which changed" in said


def test_an_appup_that_names_what_is_not_there_is_refused(lab: Lab) -> None:
    lab.old(own("1.0.0"))
    lab.new(own("2.0.0"))
    lab.appup("[{load_module, typo}]")
    assert "own has no typo, neither before nor after" in lab.refused()


def test_an_appup_that_restarts_everything_is_refused(lab: Lab) -> None:
    lab.old(own("1.0.0"))
    lab.new(own("2.0.0"))
    lab.appup("[restart_new_emulator]")
    assert "it restarts the runtime system" in lab.refused()


def test_what_every_process_stands_on_is_not_changed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    make_release(tmp_path / "old", version="1", applications=[*OTP, ELIXIR])
    others = [App(app.name, "9.0.0", app.modules, app.requires) for app in (*OTP, ELIXIR)]
    make_release(tmp_path / "new", version="2", applications=others)
    said = lab.refused()
    for change in ("kernel changes (8.5.3 → 9.0.0)", "stdlib changes", "sasl changes"):
        assert change in said
    assert "elixir changes (1.14.0 → 9.0.0)" in said


def test_releases_that_are_not_of_one_line_are_refused_with_every_reason(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.old(own("1.0.0"))
    make_relx_release(tmp_path / "new", version="1", applications=OTP[:2])
    said = lab.refused()
    for reason in ("both are of version 1", "OLD was made by mix, NEW by relx", "NEW has no sasl"):
        assert f"\n  - {reason}" in said


def test_another_runtime_system_is_refused(lab: Lab) -> None:
    lab.old(own("1.0.0"))
    lab.release("new", own("1.0.0"), version="2", erts="14.0")
    assert "the runtime system changes (ERTS 13.1.5 → 14.0)" in lab.refused()


def test_another_release_is_refused(lab: Lab) -> None:
    lab.old(own("1.0.0"))
    make_release(lab.folder / "new", name="other", version="2", applications=OTP)
    assert "OLD is the release shop, NEW is other" in lab.refused()


def test_a_new_toolchain_is_told_whole_and_what_it_compiled_anew_is_not(lab: Lab) -> None:
    lab.release("old", own("1.0.0"), version="1")
    others = [App(app.name, "9.0.0", app.modules, app.requires) for app in OTP]
    new = make_release(
        lab.folder / "new", version="2", erts="14.0", applications=[*others, ELIXIR, own("1.0.0")]
    )
    lab.change(new, "lib/own-1.0.0/ebin/a.beam")
    kinds = [item.kind for item in lab.plan(checked=False).told]
    assert kinds == ["erts", "foundation", "foundation", "foundation"]


def test_one_version_for_other_code_is_told_with_the_applications_that_changed(lab: Lab) -> None:
    lab.release("old", own("1.0.0"), version="1")
    new = lab.release("new", own("1.0.0"), version="1")
    lab.change(new, "lib/own-1.0.0/ebin/a.beam")
    assert [item.kind for item in lab.plan(checked=False).told] == ["version", "unversioned"]
