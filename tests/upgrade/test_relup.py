"""The relup that systools makes, and what it has to be for Elixir."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import consult
from imagesmith.errors import BundleError
from imagesmith.upgrade.relup import Direction, Relup, complete, parse_relup

A = Atom
OLD, NEW = "/upgrades/lib/../releases/1/consolidated", "/upgrades/lib/../releases/2/consolidated"
NOTHING = Direction((), (), {}, (), (), None, None)


def load(module: str) -> Term:
    return (A("load"), (A(module), A("brutal_purge"), A("brutal_purge")))


def remove(module: str) -> list[Term]:
    """As systools has it."""
    gone = (A("remove"), (A(module), A("brutal_purge"), A("brutal_purge")))
    return [gone, (A("purge"), [A(module)])]


def update(module: str, *within: Term) -> list[Term]:
    return [
        (A("suspend"), [A(module)]),
        *within,
        load(module),
        (A("code_change"), A("up"), [(A(module), [])]),
        (A("resume"), [A(module)]),
    ]


def completed(instructions: list[Term], of: Direction, *, down: bool = False) -> list[str]:
    """The instructions in one word each: what they do, and to what."""
    full = (A("point_of_no_return"), *instructions)
    relup = Relup("1", "2", () if down else full, full if down else ())
    made = complete(relup, NOTHING if down else of, of if down else NOTHING)
    return [word(item) for item in (made.down if down else made.up)[1:]]


def word(instruction: Term) -> str:
    match instruction:
        case (Atom() as tag, (Atom() as module, *_)) if tag != A("apply"):
            return f"{tag} {module}"
        case (_, (Atom(), Atom() as function, [str(argument), *_])):
            return f"{function} {argument}"
        case (Atom() as tag, list(held)):
            return f"{tag} {' '.join(map(str, held))}"
        case (Atom() as tag, _, [(Atom() as module, _)]):
            return f"{tag} {module}"
    return str(instruction)


def direction(
    added: str = "",
    implementations: str = "",
    protocols: str = "",
    differing: str = "",
    paths: tuple[str, str] = (OLD, NEW),
    calls: Mapping[str, str] | None = None,
) -> Direction:
    return Direction(
        added.split(),
        implementations.split(),
        {name: called.split() for name, called in (calls or {}).items()},
        protocols.split(),
        differing.split(),
        *paths,
    )


SWAP = [f"add_patha {NEW}", f"del_path {OLD}", "soft_purge P", "load_file P"]


def test_what_is_new_comes_before_the_protocols_and_these_before_what_changed() -> None:
    made = completed(
        [load("caller"), load("P.New"), load("New")],
        direction(added="P.New New", implementations="P.New", protocols="P", differing="P"),
    )
    assert made == ["load P.New", "load New", *SWAP, "load caller"]


def test_what_an_implementation_calls_comes_before_it() -> None:
    of = direction(
        implementations="P.T",
        protocols="P",
        differing="P",
        calls={"P.T": "helper", "helper": "deep"},
    )
    made = completed([load("caller"), load("P.T"), load("helper"), load("deep")], of)
    assert made == ["load deep", "load helper", "load P.T", *SWAP, "load caller"]


def test_an_implementation_comes_after_its_struct() -> None:
    of = direction(implementations="Elixir.P.T", protocols="Elixir.P")
    made = completed([load("Elixir.P.T"), load("Elixir.T")], of)
    assert made[:2] == ["load Elixir.T", "load Elixir.P.T"]


def test_modules_that_call_each_other_end_the_search() -> None:
    of = direction(implementations="P.T", protocols="P", calls={"P.T": "b", "b": "P.T"})
    assert completed([load("P.T"), load("b")], of)[:2] == ["load b", "load P.T"]


def test_a_protocol_is_loaded_in_its_consolidated_form_alone() -> None:
    objects: Term = (A("load_object_code"), (A("app"), "2", [A("P"), A("m")]))
    only: Term = (A("load_object_code"), (A("other"), "2", [A("P")]))
    up: tuple[Term, ...] = (objects, only, A("point_of_no_return"), load("P"), load("m"))
    of = direction(protocols="P", differing="P")
    made = complete(Relup("1", "2", up, ()), of, NOTHING).up
    assert made[0] == (A("load_object_code"), (A("app"), "2", [A("m")]))
    assert [word(item) for item in made[2:]] == [*SWAP, "load m"]


def test_a_process_stays_suspended_no_longer_than_it_has_to() -> None:
    made = completed(
        update("server", load("new"), *remove("gone")), direction(added="new", protocols="P")
    )
    assert made == [
        *("load new", *SWAP[:2], "suspend server", "load server", "code_change server"),
        *("resume server", "remove gone", "soft_purge gone"),
    ]


def test_on_the_way_down_protocols_change_just_before_their_implementations_go() -> None:
    of = direction(
        implementations="P.T", protocols="P", differing="P", paths=(NEW, OLD), calls={"P.T": "T"}
    )
    back = [f"add_patha {OLD}", f"del_path {NEW}", "soft_purge P", "load_file P"]
    made = completed([*remove("P.New"), load("caller"), load("P.T"), load("T")], of, down=True)
    assert made == [
        *("load caller", "load P.T", "load T", *back),
        *("remove P.New", "soft_purge P.New"),
    ]


def test_an_application_is_stopped_and_started_as_systools_has_it() -> None:
    def application(function: str) -> Term:
        return (A("apply"), (A("application"), A(function), [A("app")]))

    restart = [application("stop"), *remove("m"), load("m"), application("start")]
    goes = [application("stop"), *remove("m"), application("unload")]
    words = ["stop app", "remove m", "purge m"]
    of = direction(added="m", paths=(OLD, OLD))
    assert completed([*restart, load("x")], of) == [*words, "load m", "start app", "load x"]
    assert completed([*goes, load("x")], of) == ["load x", *words, "unload app"]


def test_a_restarted_application_has_its_protocols_back_in_consolidated_form() -> None:
    def application(function: str) -> Term:
        return (A("apply"), (A("application"), A(function), [A("app")]))

    restart = [application("stop"), *remove("P"), *remove("m"), load("P"), load("m")]
    made = completed([*restart, application("start")], direction(protocols="P"))
    assert made == [
        *(*SWAP[:2], "stop app", "remove P", "purge P", "remove m", "purge m"),
        *("load_file P", "load m", "start app"),
    ]


def test_a_protocol_that_comes_back_on_the_way_down_comes_before_its_callers() -> None:
    of = direction(added="Q", protocols="P Q", differing="P Q", paths=(NEW, OLD))
    made = completed([load("Q"), load("caller")], of, down=True)
    assert made == [
        *(f"add_patha {OLD}", "soft_purge Q", "load_file Q", "load caller"),
        *(f"del_path {NEW}", "soft_purge P", "load_file P"),
    ]


def test_without_consolidated_protocols_nothing_is_swapped() -> None:
    assert completed([load("m")], NOTHING) == ["load m"]


def test_no_purge_is_brutal() -> None:
    full: tuple[Term, ...] = (
        A("point_of_no_return"),
        load("a"),
        *update("b", *remove("c")),
        *remove("d"),
    )
    made = complete(Relup("1", "2", full, full), NOTHING, NOTHING)
    assert "brutal" not in made.to_bytes().decode()
    assert "{purge" not in made.to_bytes().decode()


def test_a_relup_is_read_back_as_it_was_written() -> None:
    made = Relup("1", "2", (A("point_of_no_return"), load("a")), (A("point_of_no_return"),))
    assert parse_relup(made.to_bytes(), "relup") == made
    assert consult(made.to_bytes())[0] == (
        *("2", [("1", [], list(made.up))], [("1", [], list(made.down))]),
    )


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"2", [], []}.', b'{"2", [{"1", [], []}], [{"0", [], []}]}.']
)
def test_a_relup_that_does_not_lead_both_ways_is_none(text: bytes) -> None:
    with pytest.raises(BundleError, match="no relup"):
        parse_relup(text, "relup")


def test_on_the_way_down_a_caller_goes_before_what_it_calls() -> None:
    """The old version of `server` may not have the function that `page` called until now."""
    instructions = [*update("server"), load("item"), load("page")]
    of = direction(calls={"page": "server item", "item": ""})
    made = completed(instructions, of, down=True)
    suspended = [f"{word} server" for word in ("suspend", "load", "code_change", "resume")]
    assert made[:6] == ["load page", *suspended, "load item"]


def test_callers_in_a_circle_are_all_loaded_once() -> None:
    of = direction(calls={"a": "b", "b": "c", "c": "a"})
    made = completed([load("a"), load("b"), load("c")], of, down=True)
    assert sorted(made[:3]) == ["load a", "load b", "load c"]
