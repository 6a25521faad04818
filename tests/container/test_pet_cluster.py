"""Three nodes that talk to each other are upgraded one after the other, under load: OTP 25, 27."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from tests.pet.load import Load, load_on
from tests.pet.pets import Pets, imagesmith
from tests.pet.shopnode import ShopNode, network, shop_node

pytestmark = pytest.mark.container

# It asks the processes of every other node, as those of an application do: what a counter answers
# has to grow, and an item is one, of whichever version. A failure is told with the node's name.
CHATTER = """
defmodule Chatter do
  def start, do: Process.register(spawn(fn -> loop(%{}, %{}) end), :chatter)

  def loop(seen, failed) do
    receive do
      {:tell, from} ->
        send(from, {:told, seen, failed})
        loop(seen, failed)
    after
      20 ->
        {seen, failed} = Enum.reduce(Node.list(), {seen, failed}, &talk/2)
        loop(seen, failed)
    end
  end

  defp talk(peer, {seen, failed}) do
    last = Map.get(seen, peer, 0)
    value = GenServer.call({Core.Counter, peer}, :increment, 60_000)
    {:ok, %{sku: "T1"}} = GenServer.call({Catalog.Store, peer}, {:fetch, "T1"}, 60_000)
    if value > last do
      {Map.put(seen, peer, value), failed}
    else
      {Map.put(seen, peer, value), Map.put(failed, peer, "#{last}, then #{value}")}
    end
  catch
    kind, reason -> {seen, Map.put(failed, peer, Exception.format_banner(kind, reason))}
  end
end
Chatter.start()
"""
TELL = """
send(:chatter, {:tell, self()})
receive do
  {:told, seen, failed} ->
    names = &Map.new(&1, fn {node, value} -> {Atom.to_string(node), value} end)
    IO.puts(Pretty.json([names.(seen), names.(failed)]))
end
"""


def test_a_cluster_is_upgraded_node_by_node_up_to_the_first_that_fails(pets: Pets) -> None:
    with ExitStack() as stack:
        joined = ("--network", stack.enter_context(network()), "--env", "SHOP_CLUSTER=1")
        options = (*joined, "--env", "RELEASE_COOKIE=common")
        nodes = [stack.enter_context(shop_node(pets.image, *options)) for _ in range(3)]
        names = [str(node.get("/")["node"]) for node in nodes]
        for name in names[1:]:
            assert nodes[0].rpc(f'IO.puts(Node.connect(:"{name}"))') == "true"
        for node in nodes:
            node.rpc(CHATTER)
        loads = [
            stack.enter_context(load_on(node.port(4000), node.port(4001), held=50, rate=10))
            for node in nodes
        ]
        talked = [_told(node, names) for node in nodes]

        done = _upgrade(pets, "0.2.0", nodes)
        assert done == (0, "")
        for node, load, before in zip(nodes, loads, talked, strict=True):
            _is_well(node, load, "0.2.0")
            now = _told(node, names)
            assert set(now) == set(names) - {node.get("/")["node"]}
            assert all(now[name] > value for name, value in before.items())

        first, bad, last = nodes
        # It can live with a float, but the code_change of 0.3.0 cannot.
        bad.rpc(":sys.replace_state(Worker.Ticker, fn ticks -> ticks * 1.0 end)")
        code, said = _upgrade(pets, "0.3.0", nodes)
        assert code == 1
        assert f"upgraded before it: {first.id}; not tried: {last.id}" in said
        bad.wait_for("0.2.0")
        for node, load, version in ((first, loads[0], "0.3.0"), (last, loads[2], "0.2.0")):
            _is_well(node, load, version)
        # Two versions of one release go on talking.
        ends = (names[0], names[2])
        heard = [_told(node, ends) for node in (first, last)]
        for node, before in zip((first, last), heard, strict=True):
            [(name, value)] = before.items()
            assert _told(node, ends)[name] > value


def _upgrade(pets: Pets, version: str, nodes: Sequence[ShopNode]) -> tuple[int, str]:
    """The exit code, and what was said if it was not 0."""
    names = [word for node in nodes for word in ("--container", node.id)]
    done = imagesmith("upgrade", pets.bundles[version], "--watch", "0", *names)
    return done.returncode, done.stderr if done.returncode else ""


def _is_well(node: ShopNode, load: Load, version: str) -> None:
    assert node.version() == version
    assert load.failures() == []
    assert load.ping_all() == {version: 50}


def _told(node: ShopNode, names: Sequence[str]) -> dict[str, int]:
    """The last value that the node has of each of those nodes, with none of which it failed."""
    seen, failed = json.loads(node.rpc(TELL))
    assert {name: why for name, why in failed.items() if name in names} == {}
    return {name: value for name, value in seen.items() if name in names}
