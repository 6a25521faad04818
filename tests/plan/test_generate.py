"""Instructions for what changed, from what the modules are."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from imagesmith.beam.etf import encode
from imagesmith.beam.release import read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import consult, format_term
from imagesmith.beam.tree import Folder
from imagesmith.plan.appup import Appup
from imagesmith.plan.change import Change
from imagesmith.plan.code import Running
from imagesmith.plan.generate import generate
from imagesmith.plan.moved import moved_modules
from imagesmith.plan.reason import Verdict
from tests.beam.beams import module
from tests.trees import App, make_release


def beam(
    name: str,
    calls: Sequence[str] = (),
    *,
    exports: Sequence[tuple[str, int]] = (),
    behaviour: str = "",
    code: str = "",
) -> bytes:
    """A module whose tables are right. Its code is none: what cannot be read counts as its own."""
    names = [name, *calls, "call", *(function for function, _ in exports)]
    at = {atom: number for number, atom in reversed(list(enumerate(names, 1)))}
    atoms = b"".join(bytes([len(atom)]) + atom.encode() for atom in names)
    imported = [struct.pack(">3I", at[other], at["call"], 0) for other in calls]
    exported = [struct.pack(">3I", at[function], arity, 1) for function, arity in exports]
    attributes: Term = [(Atom("vsn"), [1])]
    if behaviour:
        attributes = [(Atom("vsn"), [1]), (Atom("behaviour"), [Atom(behaviour)])]
    return module(
        {
            b"AtU8": struct.pack(">I", len(names)) + atoms,
            b"ImpT": struct.pack(">I", len(imported)) + b"".join(imported),
            b"ExpT": struct.pack(">I", len(exported)) + b"".join(exported),
            b"Attr": encode(attributes),
            b"Code": struct.pack(">5I", 16, 0, 178, 1, 1) + code.encode(),
        },
        name=name,
    )


class Lab:
    """An application in two versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def generate(self, old: dict[str, bytes], new: dict[str, bytes]) -> Appup:
        running = [self.running(version, own=files) for version, files in (("1", old), ("2", new))]
        return generate(running[0], running[1], Change("own", "1", "2"))

    def up(self, old: dict[str, bytes], new: dict[str, bytes]) -> str:
        return written(self.generate(old, new).up)

    def running(self, version: str, **files: dict[str, bytes]) -> Running:
        """A release of applications, each with its modules; its `.app` lists no hidden ones."""
        apps = [
            App(name, version, tuple(item for item in held if not item.startswith("hidden")))
            for name, held in files.items()
        ]
        place = make_release(self.folder / version, version=version, applications=apps)
        for app in apps:
            for name, data in files[app.name].items():
                (place / app.folder / f"ebin/{name}.beam").write_bytes(data)
        return Running(read_release(Folder(place)))


def written(instructions: list[Term]) -> str:
    return " ".join(format_term(instructions).split())


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_what_did_not_change_needs_no_instruction(lab: Lab) -> None:
    made = lab.generate({"a": beam("a")}, {"a": beam("a")})
    assert (made.up, made.down) == ([], [])
    assert consult(made.data) == [("2", [("1", [])], [("1", [])])]


def test_the_file_is_what_the_appup_says(lab: Lab) -> None:
    made = lab.generate({"a": beam("a")}, {"a": beam("a", code="2"), "b": beam("b")})
    assert consult(made.data) == [("2", [("1", made.up)], [("1", made.down)])]
    assert made.modules("own") == made.modules("own", down=True) == frozenset("ab")
    assert made.place == "generated"


def test_callees_are_loaded_before_their_callers_and_after_them_on_the_way_down(lab: Lab) -> None:
    def files(code: str) -> dict[str, bytes]:
        return {
            "a": beam("a", ["c", "lists"], code=code),
            "b": beam("b", code=code),
            "c": beam("c", ["b", "same"], code=code),
            "same": beam("same", ["a"]),
        }

    made = lab.generate(files(""), files("2"))
    assert written(made.up) == "[{load_module, b}, {load_module, c, [b]}, {load_module, a, [c]}]"
    assert written(made.down) == "[{load_module, a, [c]}, {load_module, c, [b]}, {load_module, b}]"


def test_what_calls_each_other_is_loaded_together(lab: Lab) -> None:
    old = {"a": beam("a", ["b"]), "b": beam("b", ["a"])}
    new = {"a": beam("a", ["b"], code="2"), "b": beam("b", ["a"], code="2")}
    assert lab.up(old, new) == "[{load_module, a, [b]}, {load_module, b, [a]}]"


def test_what_is_new_comes_first_and_what_is_gone_goes_last_both_ways(lab: Lab) -> None:
    old = {"m": beam("m", ["x"]), "x": beam("x", ["y"]), "y": beam("y")}
    new = {"m": beam("m", ["a"]), "a": beam("a", ["b"]), "b": beam("b")}
    made = lab.generate(old, new)
    assert written(made.up) == (
        "[{add_module, b}, {add_module, a}, {load_module, m}, {delete_module, x}, "
        "{delete_module, y}]"
    )
    assert written(made.down) == (
        "[{add_module, y}, {add_module, x}, {load_module, m}, {delete_module, a}, "
        "{delete_module, b}]"
    )


CODE_CHANGE = [("code_change", 3)]


@pytest.mark.parametrize(
    ("exports", "behaviour", "instruction"),
    [
        (CODE_CHANGE, "gen_server", "{update, m, {advanced, []}}"),
        (CODE_CHANGE, "Elixir.GenServer", "{update, m, {advanced, []}}"),
        ([("code_change", 4)], "gen_statem", "{update, m, {advanced, []}}"),
        ([("system_code_change", 4)], "", "{update, m, {advanced, []}}"),
        ([("system_code_change", 4)], "ranch_transport", "{update, m, {advanced, []}}"),
        ([], "gen_server", "{load_module, m}"),
        ([("code_change", 2)], "gen_server", "{load_module, m}"),
        ([("init", 1)], "supervisor", "{update, m, supervisor}"),
        (CODE_CHANGE, "Elixir.DynamicSupervisor", "{update, m, supervisor}"),
        ([("init", 1)], "Elixir.Supervisor", "{update, m, supervisor}"),
        ([("start", 2)], "application", "{load_module, m}"),
    ],
)
def test_processes_take_over_their_state_where_the_module_can(
    exports: list[tuple[str, int]], behaviour: str, instruction: str, lab: Lab
) -> None:
    """Both ways by what the newer version can: its `code_change` is called, up and down."""
    able = beam("m", exports=exports, behaviour=behaviour, code="able")
    made = lab.generate({"m": beam("m", behaviour=behaviour)}, {"m": able})
    assert written(made.up) == written(made.down) == f"[{instruction}]"


def test_a_code_change_that_is_no_longer_there_is_not_called(lab: Lab) -> None:
    able = beam("m", exports=CODE_CHANGE, behaviour="gen_server")
    made = lab.generate({"m": able}, {"m": beam("m", behaviour="gen_server")})
    assert written(made.up) == written(made.down) == "[{load_module, m}]"


def test_what_a_process_calls_is_loaded_while_it_waits(lab: Lab) -> None:
    old = {"s": beam("s", ["b"]), "b": beam("b")}
    new = {"s": beam("s", ["b"], exports=CODE_CHANGE), "b": beam("b", code="2")}
    assert lab.up(old, new) == "[{load_module, b}, {update, s, {advanced, []}, [b]}]"


def test_an_implementation_comes_after_the_struct_that_it_is_for(lab: Lab) -> None:
    impl = "Elixir.Core.Describe.Core.Item"
    old = {"Elixir.Core.Item": beam("Elixir.Core.Item"), impl: beam(impl)}
    new = {
        "Elixir.Core.Item": beam("Elixir.Core.Item", code="2"),
        impl: beam(impl, exports=[("__impl__", 1)], code="2"),
    }
    assert lab.up(old, new) == (
        "[{load_module, 'Elixir.Core.Item'}, "
        "{load_module, 'Elixir.Core.Describe.Core.Item', ['Elixir.Core.Item']}]"
    )


def test_a_module_that_moves_is_loaded_where_it_changed_and_removed_nowhere(lab: Lab) -> None:
    same, old, new = beam("same"), beam("m"), beam("m", code="2")
    before = lab.running("1", own={"m": old, "same": same}, other={})
    after = lab.running("2", own={}, other={"m": new, "same": same})
    made = {name: generate(before, after, Change(name, "1", "2")) for name in ("own", "other")}
    assert (made["own"].up, made["own"].down) == ([], [])
    assert written(made["other"].up) == written(made["other"].down) == "[{load_module, m}]"
    assert list(moved_modules(before, after)) == []


def test_a_module_that_moves_with_an_application_that_comes_or_goes_is_told(lab: Lab) -> None:
    before = lab.running("1", own={"m": beam("m")})
    after = lab.running("2", own={}, other={"m": beam("m")})
    (reason,) = moved_modules(before, after)
    assert reason.says == "m moves from own to other, which is new"
    (reason,) = moved_modules(after, before)
    assert reason.says == "m moves from other, which goes, to own"
    assert reason.verdict is Verdict.RESTART


def test_a_module_that_its_application_does_not_list_is_loaded_past_systools(lab: Lab) -> None:
    old = {"hidden": beam("hidden"), "m": beam("m", ["hidden"]), "hidden_too": beam("hidden_too")}
    new = {"hidden": beam("hidden", code="2"), "m": beam("m", ["hidden"], code="2")}
    made = lab.generate(old, new)
    load = "{load, {hidden, soft_purge, soft_purge}}"
    assert written(made.up) == (
        f'[{{load_object_code, {{own, "2", [hidden]}}}}, {load}, {{load_module, m}}, '
        "{delete_module, hidden_too}]"
    )
    assert written(made.down) == (
        '[{load_object_code, {own, "1", [hidden_too]}}, '
        "{load, {hidden_too, soft_purge, soft_purge}}, {load_module, m}, "
        f'{{load_object_code, {{own, "1", [hidden]}}}}, {load}]'
    )
    assert made.modules("own") == frozenset(("hidden", "hidden_too", "m"))
