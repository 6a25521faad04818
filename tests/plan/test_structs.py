"""Structs and records that change their shape."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from imagesmith.plan.code import Running
from imagesmith.plan.reason import Verdict
from imagesmith.plan.structs import (
    record_changes,
    record_shapes,
    struct_changes,
    struct_keys,
    struct_shapes,
)
from tests.plan.compiled import compiled
from tests.plan.couples import Side, couple

pytestmark = pytest.mark.release

OLD = """
defmodule Item do
  defstruct [:name, price: 0, at: ~D[2024-01-01], check: &String.length/1]
  def new(name), do: %Item{name: name}
end
defmodule Same do
  defstruct [:a, b: 1]
end
defmodule Gone do
  defstruct [:a]
end
defmodule NoMore do
  defstruct [:a]
end
defmodule Store do
  def make(name), do: %Item{name: name}
end
defmodule Reader do
  def name(%Item{name: name}), do: name
end
defmodule Caller do
  def make(name), do: Item.new(name)
end
defmodule Other do
  def make, do: {Item, %Same{}}
end
"""

NEW = """
defmodule Item do
  defstruct [:name, at: ~D[2024-01-01], check: &String.length/1, tags: [], unit: "kg"]
  def new(name), do: %Item{name: name}
end
defmodule Same do
  defstruct [:a, b: 2]
end
defmodule NoMore do
  def a, do: 1
end
"""

RECORDS_OLD = """\
-module(server).
-export([init/1, handle/2, read/1]).
-record(state, {count, name = "x"}).
-record(kept, {a, b}).
init(N) -> {ok, #state{count = N}}.
handle({set, A}, S = #state{}) -> {ok, A, S#state{count = A}};
handle({put, A, B}, S) -> {ok, B, S#kept{a = A}}.
read({pair, A, B}) -> {value, A, B}.
"""

RECORDS_NEW = """\
-module(server).
-export([init/1, handle/2, read/1]).
-record(state, {count, name = "x", since}).
-record(kept, {a, b}).
init(N) -> {ok, #state{count = N}, 5}.
handle({set, A}, S = #state{}) -> {ok, A, S#state{count = A}};
handle({put, A, B}, S) -> {ok, B, S#kept{b = A}}.
read({pair, A, B}) -> {value, A, B, 1};
read({pair, A, B, C}) -> {value, A, B, C}.
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    return compiled(
        tmp_path_factory.mktemp("structs"),
        old=OLD,
        new=NEW,
        old_records=RECORDS_OLD,
        new_records=RECORDS_NEW,
    )


@pytest.fixture(scope="module")
def both(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Running, Running]:
    old = {**modules["old"], **modules["old_records"]}
    new = {**modules["new"], **modules["new_records"]}
    return couple(tmp_path_factory.mktemp("couple"), Side(old), Side(new))


def test_the_keys_of_a_struct_are_read_from_its_literals(
    modules: Mapping[str, Mapping[str, bytes]],
) -> None:
    old = modules["old"]
    keys = struct_keys(old["Elixir.Item"])
    assert keys and sorted(keys) == ["at", "check", "name", "price"]
    assert struct_keys(old["Elixir.Store"]) is None
    assert struct_keys(b"no module") is None


def test_structs_differ_by_their_keys_and_not_by_their_defaults(
    both: tuple[Running, Running],
) -> None:
    assert [str(change) for change in struct_changes(*both)] == [
        "Gone is no struct any more",
        "Item has other keys (+tags, +unit, -price)",
        "NoMore is no struct any more",
    ]


def test_a_struct_that_changes_is_a_remark_with_the_modules_that_made_or_matched_it(
    both: tuple[Running, Running],
) -> None:
    found = {reason.subject: reason for reason in struct_shapes(*both)}
    item = found["Item"]
    assert (item.verdict, item.kind, item.application) == (Verdict.HOT, "struct-shape", "own")
    # Other has the name and another struct: it may hold an Item, for all that can be seen.
    assert "Other, Reader, Store made or matched it" in item.says
    assert item.example == "struct(Item, Map.from_struct(old))"
    assert "nothing else used it" in found["Gone"].says


def test_a_record_changes_by_its_size_and_a_message_is_no_record(
    both: tuple[Running, Running],
) -> None:
    (change,) = record_changes(*both)
    assert str(change) == "the record state has 3 fields, and had 2"
    (reason,) = record_shapes(*both)
    assert (reason.verdict, reason.kind, reason.subject) == (Verdict.HOT, "record-shape", "state")
    assert "(server)" in reason.says
