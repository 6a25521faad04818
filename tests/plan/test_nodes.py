"""What crosses from node to node while nodes of OLD and NEW run side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.beam.assembly import disassemble
from imagesmith.plan.nodes import clustering, crosses_nodes, messages
from imagesmith.plan.reason import Verdict
from tests.plan.compiled import compiled
from tests.plan.couples import Side, couple
from tests.trees import App

pytestmark = pytest.mark.release

OLD = """
defmodule Item do
  defstruct [:name]
end

defmodule Server do
  use GenServer
  def init(_), do: {:ok, %{kind: :old}}
  def handle_call(:count, _from, state) do
    case Map.get(state, :kind) do
      :old -> {:reply, 1, state}
      :new -> {:reply, 2, state}
      :other -> {:stop, :normal, state}
    end
  end
  def handle_call({:get, key}, _from, state), do: {:reply, state[key], state}
  def handle_call({:put, key, :special}, _from, state), do: {:reply, key, state}
  def handle_call({:put, key, value}, from, state) do
    send(elem(from, 0), {:put_done, key, value})
    {:reply, :ok, state}
  end
  def handle_cast(:stop, state), do: {:stop, :normal, state}
end

defmodule Inner do
  use GenServer
  def init(_), do: {:ok, 0}
  def handle_call(:count, _from, state), do: {:reply, {:count, state, :a}, state}
end
"""

NEW = """
defmodule Item do
  defstruct [:name, :tags]
end

defmodule Server do
  use GenServer
  def init(_), do: {:ok, %{kind: :new}}
  def handle_call(:count, _from, state) do
    case Map.get(state, :kind) do
      :old -> {:reply, 1, state}
      :newest -> {:reply, 2, state}
      :other -> {:stop, :normal, state}
    end
  end
  def handle_call({:fetch, key}, _from, state), do: {:reply, state[key], state}
  def handle_call({:put, key, :special}, _from, state), do: {:reply, key, state}
  def handle_call({:put, key, value}, from, state) do
    send(elem(from, 0), {:put_is_done, key, value})
    {:reply, :ok, state}
  end
  def handle_cast(:stop, state), do: {:stop, :normal, state}
  def handle_cast(:reset, state), do: {:noreply, state}
end

defmodule Inner do
  use GenServer
  def init(_), do: {:ok, 0}
  def handle_call(:count, _from, state), do: {:reply, {:counted, state, :b}, state}
end
"""

JOINS = """
defmodule Joins do
  def join(node), do: Node.connect(node)
end
"""

ERLANG = """\
-module(server).
-export([handle_call/3, handle_cast/2]).
handle_call(Message, _From, State) ->
    case Message of
        {set, A} -> {reply, A, State};
        {set, A, B, c} -> {reply, {A, B}, State};
        {drop, A, B} -> {reply, {A, B}, State};
        {now, please} -> {reply, ok, State};
        get -> {reply, State, State};
        size -> {reply, length(State), State};
        _ -> {reply, {error, unknown}, State}
    end.
handle_cast(_Message, State) ->
    {noreply, State}.
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    folder = tmp_path_factory.mktemp("nodes")
    return compiled(folder, old=OLD, new=NEW, joins=JOINS, erlang=ERLANG)


def test_what_a_server_matches_in_its_messages_is_read_from_its_code(
    modules: Mapping[str, Mapping[str, bytes]],
) -> None:
    server = messages(disassemble(modules["old"]["Elixir.Server"]))
    assert server == {
        "calls": frozenset({"count", "{get, _}", "{put, _, _}"}),
        "casts": frozenset({"stop"}),
    }
    server = messages(disassemble(modules["erlang"]["server"]))
    assert server["calls"] == frozenset(
        {"{set, _}", "{set, _, _, _}", "{drop, _, _}", "get", "size", "{now, _}"}
    )
    assert not server["casts"]


@pytest.mark.parametrize("by", ["an application", "a call"])
def test_structs_and_messages_that_change_are_told_where_nodes_are_connected(
    by: str, modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    others = (App("libcluster"),) if by == "an application" else ()
    joins = modules["joins"] if by == "a call" else {}
    old = Side({**modules["old"], **joins}, others=others)
    new = Side({**modules["new"], **joins}, others=others)
    found = {reason.subject: reason for reason in crosses_nodes(*couple(tmp_path, old, new))}
    assert found.keys() == {"Item", "Server"}
    assert {reason.verdict for reason in found.values()} == {Verdict.HOT}
    because = "libcluster connects nodes" if others else "Joins calls Node.connect"
    assert found["Item"].says == (
        "Item has other keys (+tags), and nodes of OLD and NEW talk to each other during a "
        f"rolling upgrade ({because})"
    )
    assert (
        "Server takes other calls (+{fetch, _}, -{get, _}) and casts (+reset)"
        in found["Server"].says
    )


def test_nothing_crosses_where_no_node_is_connected(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    before, after = couple(tmp_path, Side(modules["old"]), Side(modules["new"]))
    assert clustering(after) is None
    assert list(crosses_nodes(before, after)) == []
