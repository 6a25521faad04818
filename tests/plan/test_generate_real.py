"""Instructions for modules that real compilers made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.beam.term import Term
from imagesmith.beam.terms import format_term
from imagesmith.plan.appup import Appup
from imagesmith.plan.change import Change
from imagesmith.plan.generate import generate
from imagesmith.plan.role import Role, role_of
from tests.plan.compiled import compiled
from tests.plan.couples import Side, couple

pytestmark = pytest.mark.release

ROLES = """
defmodule Default do
  use GenServer
  def init(a), do: {:ok, a}
end
defmodule Own do
  use GenServer
  def init(a), do: {:ok, a}
  def code_change(_, state, _), do: {:ok, Map.new(state)}
end
defmodule Statem do
  @behaviour :gen_statem
  def callback_mode, do: :state_functions
  def init(a), do: {:ok, :here, a}
  def code_change(_, state, data, _), do: {:ok, state, [data]}
end
defmodule Tree do
  use Supervisor
  def init(_), do: Supervisor.init([], strategy: :one_for_one)
end
defmodule Dynamic do
  use DynamicSupervisor
  def init(_), do: DynamicSupervisor.init(strategy: :one_for_one)
end
defmodule Plain do
  defstruct [:a]
  def code_change(_), do: :not_a_callback
end
"""
ERLANG = """\
-module(idle).
-behaviour(gen_server).
-export([init/1, code_change/3]).
init(A) -> {ok, A}.
code_change(_Old, State, _Extra) -> {ok, State}.
-module(idle_statem).
-behaviour(gen_statem).
-export([init/1, callback_mode/0, code_change/4]).
init(A) -> {ok, here, A}.
callback_mode() -> state_functions.
code_change(_Old, State, Data, _Extra) -> {ok, State, Data}.
-module(handler).
-behaviour(gen_event).
-export([init/1, code_change/3]).
init(A) -> {ok, A}.
code_change(_Old, State, _Extra) -> {ok, {State}}.
-module(special).
-export([system_code_change/4]).
system_code_change(Misc, _Module, _Old, _Extra) -> {ok, Misc}.
-module(swapped).
-behaviour(gen_server).
-export([init/1, code_change/3]).
init(A) -> {ok, A}.
code_change(_Old, _State, Extra) -> {ok, Extra}.
"""
WORKERS = """
defmodule Worker do
  use GenServer
  def start_link(a), do: GenServer.start_link(__MODULE__, a)
  def init(a), do: {:ok, a}
end
defmodule Other do
  use GenServer, id: :another
  def start_link(a), do: GenServer.start_link(__MODULE__, a)
  def init(a), do: {:ok, a}
end
"""
APPLICATION = """
defmodule Own.Application do
  use Application
  def start(_type, _arguments) do
    Supervisor.start_link(CHILDREN, strategy: :one_for_one, name: Own.Supervisor)
  end
end
"""
SUPERVISOR = """
defmodule Sup do
  use Supervisor
  def start_link(a), do: Supervisor.start_link(__MODULE__, a, name: __MODULE__)
  def init(_), do: Supervisor.init(CHILDREN, strategy: :one_for_one)
end
"""
LISTS = {
    "one": "[Worker]",
    "two": "[Worker, {Other, size: :small}]",
    "given": "[Worker, {Other, size: :large}]",
    "patient": "[Worker, Supervisor.child_spec({Other, size: :small}, shutdown: 9)]",
}

TREE = """\
-module(own_app).
-behaviour(application).
-export([start/2]).
start(_, _) -> top:start_link().
-module(top).
-behaviour(supervisor).
-export([start_link/0, init/1]).
start_link() -> supervisor:start_link({local, top}, ?MODULE, []).
init([]) ->
    {ok, {#{}, [#{id => MIDDLE, start => {middle, start_link, []}, type => supervisor}]}}.
-module(middle).
-behaviour(supervisor).
-export([start_link/0, init/1]).
start_link() -> supervisor:start_link({local, middle}, ?MODULE, []).
init([]) -> {ok, {#{}, [CHILDREN]}}.
"""
ONCE = """
defmodule Tables do
  def make(name), do: :ets.new(name, [:named_table, :public])
end
defmodule Sup do
  use Supervisor
  def start_link(a), do: Supervisor.start_link(__MODULE__, a, name: __MODULE__)
  def init(_) do
    MAKE
    Supervisor.init([Worker], strategy: :one_for_one)
  end
  def version, do: VERSION
end
"""
MAKES = {
    "named": ":ets.new(:own, [:named_table])",
    "below": "Tables.make(:own)",
    "register": "Process.register(self(), :own)",
    "nameless": ":ets.new(:own, [:public])",
}
CHILD = "#{id => NAME, start => {gen_event, start_link, []}}"
TREES = {
    f"{middle}_{child}": TREE.replace("MIDDLE", middle).replace(
        "CHILDREN", CHILD.replace("NAME", child)
    )
    for middle, child in (("first", "a"), ("second", "a"), ("second", "b"))
}

Modules = Mapping[str, Mapping[str, bytes]]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Modules:
    sources = {
        **{f"app_{name}": APPLICATION.replace("CHILDREN", text) for name, text in LISTS.items()},
        **{
            f"sup_{name}": SUPERVISOR.replace("CHILDREN", text)
            + APPLICATION.replace("CHILDREN", "[Sup]")
            for name, text in LISTS.items()
        },
        **{f"erl_{name}": text for name, text in TREES.items()},
        **{
            f"once_{name}{version}": ONCE.replace("MAKE", make).replace("VERSION", version)
            + APPLICATION.replace("CHILDREN", "[Sup]")
            for name, make in MAKES.items()
            for version in "12"
        },
    }
    folder = tmp_path_factory.mktemp("generate")
    return compiled(folder, workers=WORKERS, roles=ROLES, erlang=ERLANG, **sources)


def test_a_code_change_that_gives_back_what_it_got_is_not_worth_a_call(modules: Modules) -> None:
    files = {**modules["roles"], **modules["erlang"]}
    roles = {name.removeprefix("Elixir."): role_of(file) for name, file in files.items()}
    assert {name for name, role in roles.items() if role is Role.STATEFUL} == {
        *("Own", "Statem", "handler", "special", "swapped"),
    }
    assert {name for name, role in roles.items() if role is Role.SUPERVISOR} == {"Tree", "Dynamic"}


def generated(modules: Modules, kind: str, old: str, new: str, folder: Path) -> Appup:
    mod = "{own_app, []}" if kind == "erl" else "{'Elixir.Own.Application', []}"
    sides = [
        Side({**modules["workers"], **modules[f"{kind}_{name}"]}, mod=mod) for name in (old, new)
    ]
    before, after = couple(folder, *sides)
    return generate(before, after, Change("own", "1.0.0", "2.0.0"))


def written(instructions: list[Term]) -> list[str]:
    return [" ".join(format_term(item).split()) for item in instructions]


UPDATE = "{update, 'Elixir.Sup', supervisor}"
LOAD = "{load_module, 'Elixir.Own.Application'}"


def call(function: str, name: str, argument: str, module: str = "supervisor") -> str:
    return f"{{apply, {{{module}, {function}, ['Elixir.{name}', {argument}]}}}}"


END = [call(function, "Sup", "another") for function in ("terminate_child", "delete_child")]
BEGIN = call("restart_child", "Sup", "another")
END_APP = [
    call(function, "Own.Supervisor", "another") for function in ("terminate_child", "delete_child")
]


def begin_app(size: str) -> str:
    spec = f"{{'Elixir.Other', [{{size, {size}}}]}}"
    return call("start_child", "Own.Supervisor", spec, "'Elixir.Supervisor'")


@pytest.mark.parametrize(
    ("kind", "old", "new", "up", "down"),
    [
        ("sup", "one", "two", [UPDATE, BEGIN], [*END, UPDATE]),
        ("sup", "two", "one", [*END, UPDATE], [UPDATE, BEGIN]),
        ("sup", "two", "given", [*END, UPDATE, BEGIN], [*END, UPDATE, BEGIN]),
        ("sup", "two", "patient", [UPDATE], [UPDATE]),
        ("app", "one", "two", [LOAD, begin_app("small")], [*END_APP, LOAD]),
        ("app", "two", "one", [*END_APP, LOAD], [LOAD, begin_app("small")]),
        (
            "app",
            "two",
            "given",
            [*END_APP, LOAD, begin_app("large")],
            [*END_APP, LOAD, begin_app("small")],
        ),
        ("app", "two", "patient", [LOAD], [LOAD]),
    ],
)
def test_children_end_before_their_supervisor_changes_and_start_after_it(
    kind: str, old: str, new: str, up: list[str], down: list[str], modules: Modules, tmp_path: Path
) -> None:
    made = generated(modules, kind, old, new, tmp_path)
    assert written(made.up) == up
    assert written(made.down) == down


def test_what_lies_below_a_child_that_ends_is_left_alone(modules: Modules, tmp_path: Path) -> None:
    """It is gone with it, and a call of a supervisor that is gone would end the upgrade."""

    def moves(old: str, new: str) -> list[str]:
        made = generated(modules, "erl", old, new, tmp_path / old)
        return [line for line in written(made.up) if "apply" in line]

    inner = "{apply, {supervisor, restart_child, [middle, b]}}"
    assert inner in moves("second_a", "second_b")
    assert moves("first_a", "second_b") == [
        "{apply, {supervisor, terminate_child, [top, first]}}",
        "{apply, {supervisor, delete_child, [top, first]}}",
        "{apply, {supervisor, restart_child, [top, second]}}",
    ]


@pytest.mark.parametrize(
    ("name", "instruction"),
    [
        ("named", "{load_module, 'Elixir.Sup'}"),
        ("below", "{load_module, 'Elixir.Sup'}"),
        ("register", "{load_module, 'Elixir.Sup'}"),
        ("nameless", "{update, 'Elixir.Sup', supervisor}"),
    ],
)
def test_a_supervisor_that_cannot_be_asked_again_is_loaded(
    name: str, instruction: str, modules: Modules, tmp_path: Path
) -> None:
    made = generated(modules, "once", f"{name}1", f"{name}2", tmp_path)
    assert written(made.up) == written(made.down) == [instruction]
