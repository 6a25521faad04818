"""What code may return and call, against what the VM returns when it runs the code."""

from __future__ import annotations

import pytest

from imagesmith.beam import etf
from imagesmith.beam.assembly import Assembly, disassemble
from imagesmith.beam.evaluate import Call, Evaluation, calls_made, returned
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Closure, Value, as_value
from tests.beam.toolchain import ROOTS, Toolchain

pytestmark = pytest.mark.release

ELIXIR = """
defmodule Subject do
  defstruct name: nil, size: 1, tags: []

  def atom, do: :ready
  def text, do: "text"
  def nested, do: {:ok, [1, {2, [three: 3]}], %{four: 4}}
  def struct, do: %Subject{size: 2}
  def updated, do: %Subject{Subject.struct() | name: System.get_env("HOME")}
  def made, do: struct(Subject, size: length(Process.list()))
  def put, do: Map.put(%{a: 1}, :b, 2)
  def deleted, do: Map.delete(%{a: 1, b: 2}, :b)
  def merged, do: Map.merge(%{a: 1}, %{b: length(Process.list())})
  def appended, do: [1] ++ local([2, 3])
  def summed, do: add(40, 2)
  def matched, do: first({:pair, 1, 2})
  def one_way, do: way(:left)
  def both_ways, do: if(System.get_env("HOME"), do: :left, else: {:right, 1})
  def three_ways, do: way(System.get_env("HOME"))
  def refused, do: match?({:ok, _}, add(1, 2))
  def fun, do: apply_to(fn number -> {:applied, number} end, 7)
  def caught do
    {:ok, String.to_integer(System.get_env("HOME", "1"))}
  rescue
    ArgumentError -> :error
  end
  def keys, do: keyed(%{a: 1, b: 2})
  def dispatched, do: apply(Subject, :atom, [])
  def piped, do: %{a: 1} |> Map.put(:a, 2) |> Map.put(:b, System.get_env("HOME"))
  def received do
    send(self(), {:number, 3})
    receive do
      {:number, number} -> {:got, number}
    after
      0 -> :nothing
    end
  end

  defp local(list), do: list
  defp add(one, other), do: one + other
  defp first({:pair, one, _}), do: {:first, one}
  defp first(other), do: {:other, other}
  defp way(:left), do: 1
  defp way(:right), do: 2
  defp way(_), do: 3
  defp apply_to(fun, number), do: fun.(number)
  defp keyed(%{a: a, c: c}), do: {a, c}
  defp keyed(%{b: b}), do: {:b, b}
end
"""

S = Atom("__struct__")
KNOWN: dict[str, tuple[Value, ...]] = {
    "atom": (Atom("ready"),),
    "text": (b"text",),
    "nested": ((Atom("ok"), [1, (2, [(Atom("three"), 3)])], {Atom("four"): 4}),),
    "struct": (
        {S: Atom("Elixir.Subject"), Atom("name"): Atom("nil"), Atom("size"): 2, Atom("tags"): []},
    ),
    "updated": (
        {S: Atom("Elixir.Subject"), Atom("name"): UNKNOWN, Atom("size"): 2, Atom("tags"): []},
    ),
    "made": (
        {
            S: Atom("Elixir.Subject"),
            Atom("name"): UNKNOWN,
            Atom("size"): UNKNOWN,
            Atom("tags"): UNKNOWN,
        },
    ),
    "put": ({Atom("a"): 1, Atom("b"): 2},),
    "deleted": ({Atom("a"): 1},),
    "merged": ({Atom("a"): 1, Atom("b"): UNKNOWN},),
    "appended": ([1, 2, 3],),
    "summed": (42,),
    "matched": ((Atom("first"), 1),),
    "one_way": (1,),
    "both_ways": (Atom("left"), (Atom("right"), 1)),
    "three_ways": (1, 2, 3),
    "refused": (Atom("false"),),
    "fun": ((Atom("applied"), 7),),
    "caught": ((Atom("ok"), UNKNOWN), Atom("error")),
    "keys": ((Atom("b"), 2),),
    "dispatched": (Atom("ready"),),
    "piped": ({Atom("a"): 2, Atom("b"): UNKNOWN},),
    "received": ((Atom("got"), UNKNOWN), Atom("nothing")),
}

ERLANG = """
-module(served).
-export([made/0, changed/0, nested/0, loop/1, deep/1, wide/1, calls/1, never/1, twice/1]).
-record(state, {count = 0, name, tags = []}).
made() -> #state{count = 1}.
changed() -> S = made(), S#state{name = erlang:node(), tags = [a, b]}.
nested() -> {ok, #{state => made(), list => [1 | [2]]}}.
loop(0) -> done;
loop(N) -> loop(N - 1).
deep(X) -> {1, deep1(X)}.
deep1(X) -> {2, deep2(X)}.
deep2(X) -> {3, deep3(X)}.
deep3(X) -> {4, deep4(X)}.
deep4(X) -> {5, deep5(X)}.
deep5(X) -> {6, deep6(X)}.
deep6(X) -> {7, X}.
wide(X) ->
    {one(X, 1), one(X, 2), one(X, 3), one(X, 4), one(X, 5), one(X, 6), one(X, 7), one(X, 8)}.
one(X, N) -> case X:f(N) of a -> N; b -> -N; c -> {N}; d -> [N] end.
calls(X) ->
    logger:notice("one"),
    Fun = fun(Y) -> gen_server:cast(other, {fun_of, Y}) end,
    lists:foreach(Fun, X),
    case X of [] -> own(first); _ -> own(second) end.
own(What) -> gen_server:call(other, {own, What, 5}).
never(X) -> exit({stopped, X}).
twice(X) -> catch exit(X, kill), {X, 1}.
"""


@pytest.fixture(scope="module", params=ROOTS)
def toolchain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Toolchain:
    return Toolchain.find(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def subject(toolchain: Toolchain) -> Assembly:
    (toolchain.work / "subject.ex").write_text(ELIXIR)
    toolchain.run("elixirc", "subject.ex")
    return disassemble((toolchain.work / "Elixir.Subject.beam").read_bytes())


@pytest.fixture(scope="module")
def served(toolchain: Toolchain) -> Assembly:
    (toolchain.work / "served.erl").write_text(ERLANG)
    toolchain.run("erlc", "served.erl")
    return disassemble((toolchain.work / "served.beam").read_bytes())


def test_constants_are_known_and_all_else_is_unknown(subject: Assembly) -> None:
    for name, expected in KNOWN.items():
        found = returned(subject, name, 0)
        assert sorted(map(repr, found)) == sorted(map(repr, expected)), name


def test_what_the_vm_returns_is_among_what_we_tell(
    toolchain: Toolchain, subject: Assembly, served: Assembly
) -> None:
    code = r"""
answer([Module, Name]) ->
    code:add_patha("."),
    {ok, _} = application:ensure_all_started(elixir),
    Value = apply(list_to_atom(Module), list_to_atom(Name), []),
    binary:encode_hex(term_to_binary(Value, [{minor_version, 2}])).
"""
    asked = [(subject, name) for name in KNOWN] + [
        (served, name) for name in ("made", "changed", "nested")
    ]
    lines = [f"{assembly.module}\t{name}" for assembly, name in asked]
    for (assembly, name), answer in zip(asked, toolchain.ask("run", code, lines), strict=True):
        value = as_value(etf.decode(bytes.fromhex(answer)))
        told = returned(assembly, name, 0)
        assert any(_covers(one, value) for one in told), (name, value, told)


def _covers(told: Value, value: Value) -> bool:
    match told, value:
        case tuple() | list(), tuple() | list():
            return len(told) == len(value) and all(map(_covers, told, value))
        case str(), list() if not isinstance(told, Atom):
            return [ord(character) for character in told] == value
        case dict(), dict():
            return told.keys() == value.keys() and all(_covers(told[k], value[k]) for k in told)
    return told is UNKNOWN or told == value


def test_records_are_tuples_with_what_is_known_of_their_fields(served: Assembly) -> None:
    undefined = Atom("undefined")
    assert returned(served, "made", 0) == ((Atom("state"), 1, undefined, []),)
    (changed,) = returned(served, "changed", 0)
    assert changed == (Atom("state"), 1, UNKNOWN, [Atom("a"), Atom("b")])
    (nested,) = returned(served, "nested", 0)
    assert nested == (
        Atom("ok"),
        {Atom("state"): (Atom("state"), 1, undefined, []), Atom("list"): [1, 2]},
    )


def test_what_takes_too_long_is_unknown(served: Assembly) -> None:
    assert UNKNOWN in returned(served, "loop", 1)
    (deep,) = returned(served, "deep", 1)
    assert deep == (1, (2, (3, (4, (5, UNKNOWN)))))
    assert UNKNOWN in returned(served, "wide", 1)  # of 65536 ways
    evaluation = Evaluation(served)
    evaluation.returned("wide", 1, None)
    assert evaluation.steps >= 0


def test_arguments_decide_which_way_is_taken(served: Assembly) -> None:
    assert returned(served, "loop", 1, [0]) == (Atom("done"),)
    assert returned(served, "never", 1, [0]) == ()
    assert returned(served, "twice", 1, [5]) == ((5, 1),)
    assert returned(served, "nowhere", 3) == ()


def test_calls_are_told_with_their_arguments_of_local_functions_and_funs_too(
    served: Assembly,
) -> None:
    found = calls_made(served, "calls", 1)
    other, own = Atom("other"), Atom("own")
    fun = next(call for call in found if call.function == "foreach").arguments[0]
    assert isinstance(fun, Closure)
    assert fun.arity == 1
    assert {repr(call) for call in found} >= {
        repr(Call("logger", "notice", ("one",))),
        repr(Call("lists", "foreach", (fun, UNKNOWN))),
        repr(Call("gen_server", "cast", (other, (Atom("fun_of"), UNKNOWN)))),
        repr(Call("gen_server", "call", (other, (own, Atom("first"), 5)))),
        repr(Call("gen_server", "call", (other, (own, Atom("second"), 5)))),
    }
