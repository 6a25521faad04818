"""A pet goes from version to version and back while a thousand connections are held: OTP 25, 27."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.pet.load import Load, load_on
from tests.pet.pets import Pets
from tests.pet.shopnode import ShopNode, shop_node

pytestmark = pytest.mark.container

HELD = 1000
RATE = 50.0
RUNTIME = {"greeting": "from the recipe", "port": 4000, "line_port": 4001}

STATES = """
shape = fn
  %{__struct__: name} -> inspect(name)
  other when is_map(other) -> "map"
  other when is_integer(other) -> "integer"
end
shapes = for name <- [Core.Counter, Worker.Ticker, Catalog.Store], do: shape.(:sys.get_state(name))
{:ok, item} = Catalog.fetch("KEPT")
IO.puts(Enum.join(shapes, ", "))
IO.puts(inspect(item |> Map.from_struct() |> Enum.sort()))
"""
KEPT = '[name: "from the beginning", price: 7, sku: "KEPT"'
STATES_OF = {
    "0.1.0": f"integer, integer, map\n{KEPT}]",
    "0.2.0": f"Core.Counter, integer, map\n{KEPT}, tags: []]",
    "0.3.0": f"Core.Counter, Worker.Ticker, Catalog.Store\n{KEPT}, tags: []]",
}
BUNDLE = "bundle two pots of 2 at 70.20"
"""A thing of 0.2.0, told by an implementation of a protocol that 0.1.0 did not have."""


def test_up_and_back_under_load_nothing_is_dropped_or_refused_or_lost(pets: Pets) -> None:
    _up_and_back(pets)


def test_so_it_goes_by_the_appups_of_a_person_too(pets_by_hand: Pets) -> None:
    _up_and_back(pets_by_hand)


def _up_and_back(pets: Pets) -> None:
    with shop_node(pets.image, "--env", "BANNER=at run time") as node:
        node.rpc('Catalog.Store.put(Core.Item.new("KEPT", "from the beginning", 7))')
        before = node.snapshot()
        with load_on(node.port(4000), node.port(4001), held=HELD, rate=RATE) as load:
            _is_at("0.1.0", node, load)
            up = partial(node.do, "upgrade", "--watch", "1")
            _step("0.1.0", "0.2.0", node, load, lambda: up(pets.bundles["0.2.0"]))
            _step("0.2.0", "0.3.0", node, load, lambda: up(pets.bundles["0.3.0"]))
            _step("0.3.0", "0.2.0", node, load, lambda: node.do("rollback"))
            _step("0.2.0", "0.1.0", node, load, lambda: node.do("rollback"))
        assert load.failures() == []
        _each_request_was_counted_once(load)
        after = node.snapshot()
        assert before.environment == after.environment
        # Code that was replaced is kept until the next upgrade wants it gone.
        loaded = {name: md5 for name, md5 in after.modules.items() if not name.endswith("(old)")}
        assert loaded == before.modules


def _step(old: str, new: str, node: ShopNode, load: Load, act: Callable[[], str]) -> None:
    began = load.now()
    act()
    _is_at(new, node, load)
    answered = load.answered("/", began)
    assert answered
    assert {request.answer["version"] for request in answered} <= {old, new}


def _is_at(version: str, node: ShopNode, load: Load) -> None:
    """Code, state, protocols and configuration are those of a version, and all is well so far."""
    assert load.failures() == []
    assert load.ping_all() == {version: HELD}
    assert node.version() == version
    assert node.rpc(STATES) == STATES_OF[version]
    described = node.get("/describe")
    assert described["consolidated"] is True
    assert (BUNDLE in described["things"]) == (version != "0.1.0")
    banner = {} if version == "0.1.0" else {"banner": "at run time"}
    assert node.get("/config")["runtime"] == RUNTIME | banner
    sizes = load.ask_all("size")
    assert len(sizes) == 1
    assert ("what?" in sizes) == (version != "0.3.0")


def _each_request_was_counted_once(load: Load) -> None:
    """The counter lost nothing on its way through three shapes, and no runtime value was gone."""
    values = sorted(request.answer["value"] for request in load.answered("/count"))
    assert values == list(range(1, len(values) + 1))
    for request in load.answered("/config"):
        assert request.answer["runtime"].items() >= RUNTIME.items(), request
