"""The children of supervisors, and what changes of them from release to release."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from imagesmith.beam.assembly import Assembly, disassemble
from imagesmith.beam.term import Atom
from imagesmith.plan.children import Child, application_children, child_differences, children_of
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.specs import Find
from imagesmith.plan.supervision import children_reasons, start_reasons
from tests.plan.compiled import compiled
from tests.plan.couples import Side, couple

pytestmark = pytest.mark.release

WORKERS = """
defmodule Worker do
  use GenServer
  def start_link(arg), do: GenServer.start_link(__MODULE__, arg)
  def init(arg), do: {:ok, arg}
end
defmodule Other do
  use GenServer, restart: :transient, id: :another
  def init(arg), do: {:ok, arg}
end
defmodule Sup do
  use Supervisor
  def start_link(arg), do: Supervisor.start_link(__MODULE__, arg, name: __MODULE__)
  def init(_), do: Supervisor.init([Worker, {Other, 1}], strategy: :one_for_one)
end
defmodule Forms do
  use Supervisor
  def init(arg) do
    children = [
      Worker,
      {Registry, keys: :unique, name: Names},
      {DynamicSupervisor, strategy: :one_for_one, name: Dynamic},
      {Task.Supervisor, name: Tasks},
      %{id: :map, start: {Worker, :start_link, [arg]}, type: :supervisor},
      Supervisor.child_spec({Worker, 1}, id: {:worker, 1}),
      {:six, {Worker, :start_link, []}, :permanent, 5000, :worker, [Worker]},
      Worker.child_spec(:x) |> Map.put(:id, :y)
    ]
    Supervisor.init(children ++ [Sup], strategy: :one_for_one)
  end
end
defmodule Sometimes do
  use Supervisor
  def init(_) do
    extra = if Application.get_env(:own, :extra), do: [Other], else: []
    Supervisor.init([Worker | extra], strategy: :one_for_one)
  end
end
defmodule Mapped do
  use Supervisor
  def init(_) do
    children = Enum.map([:a, :b], &Supervisor.child_spec({Worker, &1}, id: &1))
    Supervisor.init(children, strategy: :one_for_one)
  end
end
defmodule Unknown do
  use Supervisor
  def init(names), do: Supervisor.init(for(n <- names, do: {Worker, n}), strategy: :one_for_one)
end
"""

ERLANG = """\
-module(tree).
-behaviour(supervisor).
-export([start_link/0, init/1]).
start_link() -> supervisor:start_link({local, tree}, ?MODULE, []).
init([]) ->
    Flags = #{strategy => one_for_one, intensity => 1, period => 5},
    {ok, {Flags, [worker(first), #{id => second, start => {second, start_link, []}}]}}.
worker(Name) ->
    {Name, {Name, start_link, []}, permanent, 5000, worker, [Name]}.
-module(simple).
-behaviour(supervisor).
-export([init/1]).
init([]) ->
    Template = {a, {a, start_link, []}, temporary, 1, worker, [a]},
    {ok, {{simple_one_for_one, 1, 5}, [Template]}}.
"""

APPLICATION = """
defmodule Own.Application do
  use Application
  def start(_type, _args) do
    BEFORE
    children = CHILDREN
    Supervisor.start_link(children, OPTIONS)
  end
end
"""
NAMED = "strategy: :one_for_one, name: Own.Supervisor"
SUPERVISOR = """
defmodule Sup do
  use Supervisor
  def start_link(arg), do: Supervisor.start_link(__MODULE__, argNAME)
  def init(_), do: Supervisor.init(CHILDREN, strategy: :one_for_one)
end
"""


def application(children: str, options: str = NAMED, before: str = ":ok") -> str:
    text = APPLICATION.replace("CHILDREN", children).replace("OPTIONS", options)
    return text.replace("BEFORE", before)


def supervisor(children: str, name: str = ", name: __MODULE__") -> str:
    return SUPERVISOR.replace("CHILDREN", children).replace("NAME", name)


PERHAPS = "[Worker | if(Application.get_env(:own, :x), do: [Sup], else: [])]"
VERSIONS = {
    "two": application("[Worker, {Other, 1}]"),
    "three": application("[Worker, {Other, 1}, {Sup, :go}]"),
    "kept": application("[Supervisor.child_spec(Worker, restart: :temporary), {Other, 1}]"),
    "given": application("[Worker, {Other, 2}]"),
    "runtime": application("[Worker, {Other, 1}, {Sup, Application.get_env(:own, :x)}]"),
    "runtime2": application("[Worker, {Other, 1}, {Sup, 2}]"),
    "nameless": application("[Worker, {Other, 1}]", "strategy: :one_for_one"),
    "nameless3": application("[Worker, {Other, 1}, Sup]", "strategy: :one_for_one"),
    "perhaps": application(
        "[Worker, {Other, 1} | if(Application.get_env(:own, :x), do: [Sup], else: [])]"
    ),
    "loop": application("for n <- Application.get_env(:own, :x), do: {Worker, n}"),
    "loop2": application("for n <- Application.get_env(:own, :y), do: {Worker, n}"),
    "loop1": application("for n <- Application.get_env(:own, :x), do: {Worker, n}", before=""),
    "effect": application("[Worker, {Other, 1}]", before=":persistent_term.put(:a, 1)"),
    "effect2": application("[Worker, {Other, 1}]", before=":persistent_term.put(:a, 2)"),
    "all": application("[Worker, {Other, 1}]", NAMED.replace("one_for_one", "one_for_all")),
    "sup1": supervisor("[Worker]") + application("[Sup]"),
    "sup2": supervisor("[Worker, {Other, System.get_env()}]") + application("[Sup]"),
    "stray1": supervisor("[Worker]"),
    "stray2": supervisor("[Worker, Other]"),
    "perhaps1": supervisor("[Worker]") + application(PERHAPS),
    "perhaps2": supervisor("[Worker, Other]") + application(PERHAPS),
    "lone1": supervisor("[Worker]", ""),
    "lone2": supervisor("[Worker, Other]", ""),
}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    folder = tmp_path_factory.mktemp("children")
    return compiled(folder, workers=WORKERS, erlang=ERLANG, **VERSIONS)


@pytest.fixture(scope="module")
def elixir() -> Path:
    """Where Elixir's own modules lie, which know the specifications of what they start."""
    say = "IO.write(:code.lib_dir(:elixir))"
    done = subprocess.run(["elixir", "-e", say], check=True, capture_output=True, text=True)
    return Path(done.stdout) / "ebin"


@pytest.fixture(scope="module")
def find(modules: Mapping[str, Mapping[str, bytes]], elixir: Path) -> Find:
    known = {**modules["workers"], **modules["erlang"]}

    def found(name: str) -> Assembly | None:
        if name in known:
            return disassemble(known[name])
        file = elixir / f"{name}.beam"
        return disassemble(file.read_bytes()) if file.is_file() else None

    return found


Told = Callable[[str, str], list[Reason]]


@pytest.fixture
def told(modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path) -> Told:
    """What is said of two versions, as kind, subject and verdict."""

    def compare(old: str, new: str) -> list[Reason]:
        sides = [
            Side(
                {**modules["workers"], **modules[name]},
                mod="{'Elixir.Own.Application', []}"
                if "Elixir.Own.Application" in modules[name]
                else "undefined",
            )
            for name in (old, new)
        ]
        before, after = couple(tmp_path, *sides)
        return [*children_reasons(before, after), *start_reasons(before, after)]

    return compare


def ids(children: tuple[Child, ...] | None) -> list[str] | None:
    return None if children is None else [child.name for child in children]


def children(find: Find, module: str) -> tuple[Child, ...] | None:
    assembly = find(module)
    assert assembly
    return children_of(assembly, find)


def test_every_form_of_a_specification_is_understood(find: Find) -> None:
    found = children(find, "Elixir.Forms")
    assert ids(found) == [
        *("Worker", "Names", "Dynamic", "Tasks", "map", "{worker, 1}", "six", "y", "Sup"),
    ]
    assert found
    assert [child.kind for child in found[:5]] == ["worker", *["supervisor"] * 4]
    assert [child.module for child in found[-2:]] == ["Elixir.Worker", "Elixir.Sup"]
    assert ids(children(find, "Elixir.Sup")) == ["Worker", "another"]
    assert ids(children(find, "Elixir.Mapped")) == ["a", "b"]


def test_erlangs_specifications_are_understood(find: Find) -> None:
    assert ids(children(find, "tree")) == ["first", "second"]
    assert ids(children(find, "simple")) == []


def test_children_that_depend_on_what_runs_are_told_from_those_that_do_not(find: Find) -> None:
    found = children(find, "Elixir.Sometimes")
    assert found
    assert {child.name: child.is_certain for child in found} == {"Worker": True, "another": False}
    assert children(find, "Elixir.Unknown") is None


def test_an_applications_children_are_those_of_its_start(
    modules: Mapping[str, Mapping[str, bytes]], find: Find
) -> None:
    name, found = application_children(
        disassemble(modules["three"]["Elixir.Own.Application"]), find
    )
    assert name == Atom("Elixir.Own.Supervisor")
    assert ids(found) == ["Worker", "another", "Sup"]
    name, found = application_children(disassemble(modules["nameless"]["Elixir.Own.Application"]))
    assert (name, [child.module for child in found or ()]) == (
        None,
        ["Elixir.Worker", "Elixir.Other"],
    )


def test_differences_name_what_instructions_need(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    mod = "{'Elixir.Own.Application', []}"
    old, new = (Side({**modules["workers"], **modules[name]}, mod=mod) for name in ("two", "three"))
    (difference,) = child_differences(*couple(tmp_path, old, new), "own")
    assert difference.supervisor == Atom("Elixir.Own.Supervisor")
    assert difference.of_application
    (added,) = difference.added
    assert (added.id, added.spec) == (Atom("Elixir.Sup"), (Atom("Elixir.Sup"), Atom("go")))
    assert not difference.removed and not difference.changed


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        ("two", "three", "child-added", "Own.Supervisor has a new child Sup"),
        ("three", "two", "child-removed", "Own.Supervisor no longer has the child Sup"),
        (
            "two",
            "given",
            "child-changed",
            "Own.Supervisor specifies otherwise the child another, which is started anew: the "
            "state that it holds is gone",
        ),
        (
            "two",
            "kept",
            "child-changed",
            "Own.Supervisor specifies otherwise the child Worker, which goes on as it is until it "
            "is started again",
        ),
        ("sup1", "sup2", "child-added", "Sup has a new child another"),
    ],
)
def test_what_an_appup_can_do_is_a_remark(
    old: str, new: str, kind: str, said: str, told: Told
) -> None:
    (reason,) = told(old, new)
    assert (reason.verdict, reason.kind) == (Verdict.HOT, kind)
    assert reason.says == said


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        ("two", "runtime", "child-added", "what it is given is known at run time alone"),
        ("nameless", "nameless3", "child-added", "its supervisor has no name that is known"),
        ("runtime", "runtime2", "child-changed", "what it is given is known at run time alone"),
        ("two", "perhaps", "child-added", "whether it runs is decided at run time"),
        ("lone1", "lone2", "child-added", "its supervisor has no name that is known"),
        ("stray1", "stray2", "child-added", "whether its supervisor runs is known at run time"),
        ("perhaps1", "perhaps2", "child-added", "whether its supervisor runs is known at run time"),
        ("loop", "loop2", "child-changed", "Own.Application.start/2 changed, and which children"),
        ("two", "loop", "child-changed", "which children it names is known at run time alone"),
    ],
)
def test_what_no_appup_can_do_is_a_restart(
    old: str, new: str, kind: str, said: str, told: Told
) -> None:
    (reason,) = told(old, new)
    assert (reason.verdict, reason.kind) == (Verdict.RESTART, kind)
    assert said in reason.says


@pytest.mark.parametrize(("old", "new"), [("loop", "loop1"), ("two", "two"), ("sup1", "sup1")])
def test_code_that_names_the_same_is_no_reason(old: str, new: str, told: Told) -> None:
    assert told(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("two", "effect", "newly calls persistent_term.put/2, which an upgrade does not run"),
        ("effect", "two", "no longer calls persistent_term.put/2"),
        ("effect", "effect2", "calls persistent_term.put/2 with something else"),
        ("two", "all", "calls Supervisor.start_link/2 with something else"),
    ],
)
def test_what_start_does_besides_is_a_remark(old: str, new: str, said: str, told: Told) -> None:
    (reason,) = told(old, new)
    assert (reason.verdict, reason.kind) == (Verdict.HOT, "start-changed")
    assert reason.says.startswith("Own.Application.start/2 ") and said in reason.says


def test_an_application_that_begins_to_start_something_is_a_restart(told: Told) -> None:
    (reason,) = told("workers", "two")
    assert (reason.verdict, reason.kind) == (Verdict.RESTART, "start-changed")
    assert reason.says == "own has nothing that starts in OLD, and Own.Application in NEW"
