"""GenServers under calls, in a node of the shop: how long the longest call took.

Twenty processes call one server after the other. The servers stand below a supervisor of an
application, where release_handler looks for what it has to suspend.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Calls", "longest_call", "start_crowd"]

CROWD = """
defmodule Crowd do
  def start(count) do
    server = %{
      id: Core.Counter,
      start: {GenServer, :start_link, [Core.Counter, 0]},
      modules: [Core.Counter]
    }

    started =
      for _ <- 1..count//1 do
        {:ok, pid} = DynamicSupervisor.start_child(Web.Line.Connections, server)
        pid
      end

    servers = List.to_tuple([Process.whereis(Core.Counter) | started])
    callers = for _ <- 1..20, do: spawn(fn -> call(servers, 0, 0, 0) end)
    :persistent_term.put(__MODULE__, callers)
  end

  def longest do
    for pid <- :persistent_term.get(__MODULE__), do: send(pid, {:tell, self()})
    told = for _ <- :persistent_term.get(__MODULE__), do: receive(do: ({:told, told} -> told))
    sum = &(told |> Enum.map(fn one -> elem(one, &1) end) |> Enum.sum())
    IO.puts("#{told |> Enum.map(&elem(&1, 0)) |> Enum.max()} #{sum.(1)} #{sum.(2)}")
  end

  defp call(servers, longest, calls, failed) do
    receive do
      {:tell, from} ->
        send(from, {:told, {longest, calls, failed}})
        call(servers, 0, 0, 0)
    after
      2 ->
        server = elem(servers, :rand.uniform(tuple_size(servers)) - 1)
        began = System.monotonic_time(:microsecond)

        lost =
          try do
            GenServer.call(server, :increment, 60_000)
            0
          catch
            :exit, _ -> 1
          end

        took = System.monotonic_time(:microsecond) - began
        call(servers, max(longest, took), calls + 1, failed + lost)
    end
  end
end
"""


@dataclass(frozen=True, slots=True)
class Calls:
    """Since they were asked last: the longest in seconds, how many, and how many failed."""

    longest: float
    made: int
    failed: int

    @classmethod
    def parse(cls, said: str) -> Calls:
        """Of what `longest_call` printed."""
        longest, made, failed = map(int, said.split()[-3:])
        return cls(longest / 1e6, made, failed)


def start_crowd(servers: int) -> str:
    """Elixir for `rpc`: that many servers besides the shop's own one, and their callers."""
    return f"{CROWD}\nCrowd.start({servers})"


def longest_call() -> str:
    """Elixir for `rpc` that prints what Calls parses."""
    return "Crowd.longest()"
