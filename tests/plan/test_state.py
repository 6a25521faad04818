"""States of processes that change their shape, of modules that real compilers made."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.beam import etf
from imagesmith.beam.release import read_release
from imagesmith.beam.term import Atom
from imagesmith.beam.tree import Folder
from imagesmith.beam.value import Value, as_value
from imagesmith.plan.code import Running
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.shape import shape_of
from imagesmith.plan.state import state_changes, state_shapes
from tests.beam.toolchain import Toolchain
from tests.plan.compiled import compiled
from tests.plan.couples import Side, couple

pytestmark = pytest.mark.release

OLD = """
defmodule Count do
  use GenServer
  def start_link(_), do: GenServer.start_link(__MODULE__, 0, name: __MODULE__)
  def init(number), do: {:ok, number}
  def handle_call(:next, _from, number), do: {:reply, number, number + 1}
end
defmodule Basket do
  use GenServer
  defstruct items: [], old: nil
  def init(options), do: {:ok, %Basket{items: options[:items]}, {:continue, :fill}}
  def handle_continue(:fill, state), do: {:noreply, %{state | items: [1]}}
end
defmodule Cache do
  use GenServer
  def init(_), do: {:ok, %{hits: 0, table: :ets.new(:cache, [])}}
  def handle_cast(:hit, state), do: {:noreply, %{state | hits: state.hits + 1}}
end
defmodule Item do
  defstruct [:name]
end
defmodule Shelf do
  use GenServer
  def init(_), do: {:ok, %{first: %Item{name: "tea"}}}
end
defmodule Late do
  use GenServer
  defstruct rows: []
  def init(_), do: {:ok, nil}
  def handle_info(:load, nil), do: {:noreply, %Late{rows: [1]}}
end
defmodule Account do
  defstruct balance: 0
  def new(options), do: %Account{balance: Map.get(options, :balance)}
end
defmodule Bank do
  use GenServer
  def init(options), do: {:ok, Account.new(options)}
end
defmodule Opaque do
  use GenServer
  def init(options), do: {:ok, Enum.into(options, %{})}
end
defmodule Waits do
  use GenServer
  def init(_), do: {:ok, nil}
  def handle_call(:ask, from, nil), do: {:noreply, from}
end
defmodule Phases do
  use GenServer
  def init(_), do: {:ok, {:idle, 0}}
  def handle_cast(:work, {:idle, n}), do: {:noreply, {:busy, n, self()}}
end
"""

GREW = {
    "Count": """
defmodule Count do
  use GenServer
  defstruct number: 0, since: nil
  def start_link(_), do: GenServer.start_link(__MODULE__, 0, name: __MODULE__)
  def init(number), do: {:ok, %Count{number: number, since: System.os_time()}}
  def handle_call(:next, _from, s), do: {:reply, s.number, %{s | number: s.number + 1}}
end
""",
    "Basket": """
defmodule Basket do
  use GenServer
  defstruct items: [], customer: "nobody"
  def init(options), do: {:ok, %Basket{items: options[:items]}, {:continue, :fill}}
  def handle_continue(:fill, state), do: {:noreply, %{state | items: [1]}}
end
""",
    "Cache": """
defmodule Cache do
  use GenServer
  def init(_), do: {:ok, %{hits: 0, misses: 0, table: :ets.new(:cache, [])}}
  def handle_cast(:hit, state), do: {:noreply, %{state | hits: state.hits + 1}}
end
""",
    "Shelf": """
defmodule Item do
  defstruct name: nil, tags: []
end
defmodule Shelf do
  use GenServer
  def init(_), do: {:ok, %{first: %Item{name: "tea"}}}
end
""",
    "Opaque": """
defmodule Opaque do
  use GenServer
  defstruct options: %{}
  def init(options), do: {:ok, %Opaque{options: Enum.into(options, %{})}}
end
""",
}
"""NEW by the module that changes, as OLD but for what is told."""

LATE = """
defmodule Late do
  use GenServer
  defstruct rows: [], read_at: nil
  def init(_), do: {:ok, nil}
  def handle_info(:load, nil), do: {:noreply, %Late{rows: [1], read_at: System.os_time()}}
end
"""

ACCOUNT = """
defmodule Account do
  defstruct balance: 0, owner: nil
  def new(options), do: %Account{balance: Map.get(options, :balance)}
end
"""

CODE_CHANGE = {
    "Count": """
  def code_change({:down, _}, %Count{number: number}, _), do: {:ok, number}
  def code_change(_, number, _) when is_integer(number), do: {:ok, %Count{number: number}}
""",
    "Basket": """
  def code_change({:down, _}, state, _) do
    {:ok, state |> Map.delete(:customer) |> Map.put(:old, 1)}
  end
  def code_change(_, state, _), do: {:ok, struct(Basket, Map.from_struct(state))}
""",
    "Cache": """
  def code_change({:down, _}, state, _), do: {:ok, Map.delete(state, :misses)}
  def code_change(_, state, _), do: {:ok, Map.put(state, :misses, 0)}
""",
    "Shelf": """
  def code_change(_, state, _) do
    {:ok, update_in(state.first, &struct(Item, Map.from_struct(&1)))}
  end
""",
    "Opaque": """
  def code_change({:down, _}, state, _), do: {:ok, state.options}
  def code_change(_, options, _), do: {:ok, %Opaque{options: options}}
""",
}

SAME = """
defmodule Count do
  use GenServer
  def start_link(_), do: GenServer.start_link(__MODULE__, 100, name: __MODULE__)
  def init(number), do: {:ok, number}
  def handle_call(:next, _from, number), do: {:reply, number * 2, number + 2}
end
defmodule Cache do
  use GenServer
  def init(_), do: {:ok, Map.merge(%{hits: 1}, %{table: :ets.new(:cache, [:public])})}
  def handle_cast(:hit, state), do: {:noreply, %{state | hits: state.hits + 2}}
  def handle_cast(:reset, state), do: {:noreply, Map.put(state, :hits, 0)}
end
defmodule Opaque do
  use GenServer
  def init(options), do: {:ok, %{options: options}}
end
defmodule Waits do
  use GenServer
  def init(_), do: {:ok, []}
  def handle_call(:ask, from, waiting), do: {:noreply, [from | List.wrap(waiting)]}
end
defmodule Phases do
  use GenServer
  def init(_), do: {:ok, {:busy, 0, self()}}
  def handle_cast(:rest, {:busy, n, _}), do: {:noreply, {:idle, n}}
end
"""
"""Every module changes, and no state has to: what is not known is not alarming."""

LEFTOVER = {
    "Cache": """
  def code_change({:down, _}, state, _), do: {:ok, Map.delete(state, :hits)}
  def code_change(_, state, _), do: {:ok, Map.put(state, :hits, 0)}
""",
    "Count": """
  def code_change(_, %{n: number}, _), do: {:ok, %Count{number: number}}
""",
}
"""Written for an earlier change."""

ONE_WAY = """
  def code_change(_, number, _) when is_integer(number), do: {:ok, %Count{number: number}}
"""

ERLANG_OLD = """\
-module(ledger).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).
-record(state, {lines = 0}).
init([]) -> {ok, #state{}}.
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast(_, S) -> {noreply, S}.
-module(gate).
-behaviour(gen_statem).
-export([init/1, callback_mode/0, shut/3]).
init([]) -> {ok, shut, #{turns => 0}}.
callback_mode() -> state_functions.
shut(cast, turn, Data) -> {next_state, open, Data}.
"""

ERLANG_NEW = ERLANG_OLD.replace("lines = 0", "lines = 0, pages").replace(
    "#{turns => 0}", "#{turns => 0, jams => 0}"
)


def _with(module: str, text: str) -> str:
    """The source of GREW with these lines in it."""
    return f"{GREW[module].rstrip().removesuffix('end')}{text}end\n"


SOURCES = {
    "old": OLD,
    "same": SAME,
    "account": ACCOUNT,
    "late": LATE,
    "one_way": _with("Count", ONE_WAY),
    "erlang_old": ERLANG_OLD,
    "erlang_new": ERLANG_NEW,
    **{f"grew_{name}": text for name, text in GREW.items()},
    **{f"changed_{name}": _with(name, text) for name, text in CODE_CHANGE.items()},
    **{f"leftover_{name}": _with(name, text) for name, text in LEFTOVER.items()},
}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    return compiled(tmp_path_factory.mktemp("states"), **SOURCES)


@pytest.fixture
def ask(modules: dict[str, dict[str, bytes]], tmp_path: Path) -> Ask:
    return Ask(modules, tmp_path)


class Ask:
    """What the rule has to say of one set of sources and another one."""

    def __init__(self, modules: dict[str, dict[str, bytes]], folder: Path) -> None:
        self.modules = modules
        self.folder = folder

    def couple(self, new: str, old: str = "old") -> tuple[Running, Running]:
        before = self.modules[old]
        return couple(self.folder / new, Side(before), Side(before | self.modules[new]))

    def __call__(self, new: str, old: str = "old") -> list[Reason]:
        return list(state_shapes(*self.couple(new, old)))


@pytest.mark.parametrize(
    ("module", "kind", "says"),
    [
        (
            "Count",
            "state-shape",
            "the state of Count changes from a number to %Count{number, since",
        ),
        ("Basket", "state-shape", "the state of Basket gains customer and loses old"),
        ("Cache", "state-shape", "the state of Cache gains misses"),
        ("Shelf", "struct-shape", "the state of Shelf holds Item, which gains tags"),
        ("Opaque", "state-shape", "the state of Opaque becomes %Opaque{options}"),
    ],
)
def test_a_state_that_changes_its_shape_wants_a_code_change(
    ask: Ask, module: str, kind: str, says: str
) -> None:
    (reason,) = ask(f"grew_{module}")
    assert (reason.verdict, reason.kind, reason.subject) == (Verdict.RESTART, kind, module)
    assert reason.says.startswith(says)
    assert reason.says.endswith(f"{module} has no code_change of its own")
    assert reason.application == "own"


@pytest.mark.parametrize("module", CODE_CHANGE)
def test_a_code_change_that_sees_to_it_is_all_that_is_wanted(ask: Ask, module: str) -> None:
    assert ask(f"changed_{module}") == []
    (change,) = state_changes(*ask.couple(f"changed_{module}"))
    assert change.is_taken
    assert change.is_given_back


@pytest.mark.parametrize("module", LEFTOVER)
def test_a_code_change_for_another_change_does_not_do(ask: Ask, module: str) -> None:
    (reason,) = ask(f"leftover_{module}")
    assert reason.verdict is Verdict.RESTART
    assert reason.says.endswith("its code_change does not make the one of the other")


def test_a_code_change_without_a_way_back_is_remarked_on(ask: Ask) -> None:
    (reason,) = ask("one_way")
    assert reason.verdict is Verdict.HOT
    assert "no way back" in reason.says


def test_a_state_can_be_made_after_the_start(ask: Ask) -> None:
    (reason,) = ask("late")
    assert reason.verdict is Verdict.RESTART
    assert reason.says.startswith("the state of Late gains read_at")


def test_a_state_that_another_module_makes_changes_under_a_module_that_does_not(ask: Ask) -> None:
    (reason,) = ask("account")
    assert (reason.verdict, reason.kind, reason.subject) == (
        Verdict.RESTART,
        "state-shape",
        "Bank",
    )
    assert reason.says.startswith(
        "the state of Bank, Account, gains owner, and Bank stays as it is"
    )


def test_changed_code_is_no_changed_state(ask: Ask) -> None:
    assert ask("same") == []


def test_records_and_the_data_of_gen_statem_are_states_too(ask: Ask) -> None:
    gate, ledger = sorted(ask("erlang_new", "erlang_old"), key=lambda item: str(item.subject))
    assert (gate.kind, ledger.kind) == ("state-shape", "record-shape")
    assert gate.way_out.startswith("Write code_change/4 in gate")
    assert "from {:state, _} to {:state, _, _}" in ledger.says


@pytest.fixture(scope="module")
def examples(
    modules: dict[str, dict[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """NEW by the module that changes, with the example in it that its plan shows."""
    folder = tmp_path_factory.mktemp("examples")
    sources = {}
    for module in GREW:
        (reason,) = Ask(modules, folder)(f"grew_{module}")
        sources[module] = _with(module, f"\n{reason.example}\n")
    return compiled(folder / "written", **sources)


def test_the_example_is_all_that_a_plan_wants(
    ask: Ask, examples: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    before = ask.modules["old"]
    for module, written in examples.items():
        pair = couple(tmp_path / module, Side(before), Side(before | written))
        assert list(state_shapes(*pair)) == []


# Starts the process with OLD's code, and asks NEW's `code_change` as sys(3) does.
CHANGE = r"""
answer([Old, New, Name]) ->
    {ok, _} = application:ensure_all_started(elixir),
    load(Old),
    Module = list_to_atom(Name),
    {ok, Pid} = gen_server:start(Module, argument(Name), []),
    State = sys:get_state(Pid),
    ok = gen_server:stop(Pid),
    load(New),
    {ok, Up} = Module:code_change(undefined, State, []),
    {ok, Down} = Module:code_change({down, undefined}, Up, []),
    Terms = [skeleton(Term) || Term <- [State, Up, Down]],
    binary:encode_hex(term_to_binary(Terms, [{minor_version, 2}])).

load(Folder) ->
    [begin
         {ok, Binary} = file:read_file(File),
         Module = list_to_atom(filename:basename(File, ".beam")),
         code:purge(Module),
         {module, Module} = code:load_binary(Module, File, Binary)
     end || File <- filelib:wildcard(Folder ++ "/*.beam")].

argument("Elixir.Count") -> 0;
argument(_) -> #{balance => 7}.

skeleton(Term) when is_reference(Term); is_pid(Term) -> handle;
skeleton(Term) when is_map(Term) -> maps:map(fun(_, Value) -> skeleton(Value) end, Term);
skeleton(Term) -> Term.
"""


def test_the_example_changes_the_state_of_a_running_process_and_back(
    ask: Ask, examples: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    toolchain = Toolchain.find("host", tmp_path / "work")
    toolchain.work.mkdir()
    lines = []
    for module, written in examples.items():
        for side, files in (("old", ask.modules["old"]), ("new", written)):
            folder = toolchain.work / module / side
            folder.mkdir(parents=True)
            for name, data in files.items():
                (folder / f"{name}.beam").write_bytes(data)
        lines.append(f"{module}/old\t{module}/new\tElixir.{module}")
    for module, answer in zip(examples, toolchain.ask("change", CHANGE, lines), strict=True):
        terms = etf.decode(bytes.fromhex(answer))
        assert isinstance(terms, list)
        (change,) = state_changes(*ask.couple(f"grew_{module}"))
        began, up, down = (as_value(term) for term in terms)
        if change.held:
            began, up, down = (_first(state) for state in (began, up, down))
        shapes = [shape_of(value) for value in (began, up, down)]
        assert shapes[0] is not None
        assert change.old is None or change.old.fits(shapes[0]), module
        assert shapes[1] == change.new, module
        # Of a state that it does not know, the example cannot know the way back.
        assert shapes[2] == shapes[0] or change.old is None, module


def _first(state: Value) -> Value:
    assert isinstance(state, dict)
    return state[Atom("first")]


@pytest.mark.parametrize("module", ["gate", "ledger"])
def test_an_example_for_a_module_of_erlang_is_erlang(ask: Ask, tmp_path: Path, module: str) -> None:
    examples = {item.subject: item.example for item in ask("erlang_new", "erlang_old")}
    arity = 4 if module == "gate" else 3
    source = f"-module({ERLANG_NEW.split('-module(')[1 if module == 'ledger' else 2]}"
    text = source.replace("-export([", f"-export([code_change/{arity}, ") + f"{examples[module]}\n"
    written = compiled(tmp_path / "written", new=text)
    before = {module: ask.modules["erlang_old"][module]}
    pair = couple(tmp_path / "pair", Side(before), Side(written["new"]))
    (change,) = state_changes(*pair)
    assert change.is_taken
    assert change.is_given_back


def test_the_shop_has_a_code_change_for_every_state_that_changes(
    shop_versions: dict[str, Path],
) -> None:
    first, second, third = (
        Running(read_release(Folder(shop_versions[version])))
        for version in ("0.1.0", "0.2.0", "0.3.0")
    )
    assert list(state_shapes(first, second)) == []
    assert {item.module for item in state_changes(first, second)} == {"Elixir.Core.Counter"}
    assert list(state_shapes(second, third)) == []
    assert {item.module for item in state_changes(second, third)} == {
        "Elixir.Catalog.Store",
        "Elixir.Worker.Ticker",
    }
