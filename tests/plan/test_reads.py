"""Configuration that only what starts reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.beam.assembly import disassemble
from imagesmith.plan.reads import config_at_start, reads
from imagesmith.plan.reason import Verdict
from tests.plan.compiled import compiled
from tests.plan.couples import Side, couple

pytestmark = pytest.mark.release

ELIXIR = """
defmodule Ecto.Repo do
  @callback config() :: term
end
defmodule Own.Pool do
  use GenServer
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: name())
  def init(_), do: {:ok, size() + Application.get_env(:own, :both, 1)}
  def handle_call(:get, _from, state), do: {:reply, state + Application.get_env(:own, :any), state}
  def handle_info(_, state), do: {:noreply, Application.fetch_env!(:own, :both), state}
  defp size, do: Enum.sum(Enum.map([1], fn n -> n * Application.fetch_env!(:own, :size) end))
  defp name, do: Application.get_env(:own, :name)
end
defmodule Own.Application do
  use Application
  def start(_, _) do
    workers = Application.get_env(:own, :workers, 5)
    Supervisor.start_link(List.duplicate(Own.Pool, workers), strategy: :one_for_one)
  end
end
defmodule Own.Repo do
  @behaviour Ecto.Repo
  def config, do: Ecto.Repo.Supervisor.config(__MODULE__)
end
defmodule Own.Baked do
  @value Application.compile_env(:own, :baked, 1)
  def init(_), do: {:ok, @value}
end
"""

AT_ANY_KEY = """
defmodule Own.Settings do
  def get(key), do: Application.get_env(:own, key)
end
"""

ERLANG = """\
-module(own_server).
-export([init/1, handle_call/3]).
init([]) -> {ok, {application:get_env(size), application:get_env(other, size)}}.
handle_call(get, _From, S) -> {reply, application:get_env(own, any, 1), S};
handle_call(all, _From, S) -> {reply, application:get_all_env(third), S}.
"""

KEYS = ("any", "both", "name", "size", "workers", "baked", "unread")


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    folder = tmp_path_factory.mktemp("reads")
    return compiled(folder, elixir=ELIXIR, settings=AT_ANY_KEY, erlang=ERLANG)


def config(value: int) -> str:
    keys = ", ".join(f"{{{key}, {value}}}" for key in KEYS)
    return f"[{{own, [{keys}, {{'Elixir.Own.Repo', [{{pool_size, {value}}}, {{url, 1}}]}}]}}]"


def test_reads_are_told_by_application_and_key(
    modules: Mapping[str, Mapping[str, bytes]],
) -> None:
    found = set(reads(disassemble(modules["erlang"]["own_server"]), "own"))
    assert found == {
        ("own", "size", ("init", 1)),
        ("other", "size", ("init", 1)),
        ("own", "any", ("handle_call", 3)),
        ("third", None, ("handle_call", 3)),
    }


def test_keys_that_are_read_at_the_start_alone_are_told_with_their_readers(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    code = modules["elixir"]
    before, after = couple(tmp_path, Side(code, config=config(1)), Side(code, config=config(2)))
    found = {reason.subject: reason for reason in config_at_start(before, after)}
    assert found.keys() == {"own/name", "own/size", "own/workers", "own/Own.Repo/pool_size"}
    assert {(reason.verdict, reason.kind) for reason in found.values()} == {
        (Verdict.HOT, "config-at-start")
    }
    assert "read only when Own.Pool starts" in found["own/size"].says
    assert "read only when Own.Repo starts" in found["own/Own.Repo/pool_size"].says


def test_a_key_that_may_be_read_at_any_time_is_not_told(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    code = {**modules["elixir"], **modules["settings"]}
    before, after = couple(tmp_path, Side(code, config=config(1)), Side(code, config=config(2)))
    assert list(config_at_start(before, after)) == []


def test_nothing_is_told_where_no_key_changes(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    side = Side(modules["elixir"], config=config(1))
    assert list(config_at_start(*couple(tmp_path, side, side))) == []
