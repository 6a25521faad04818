"""What the plan called hot goes hot: each change is installed and rolled back under load.

One container goes all the way, from the first release over each stop to the last, and back again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pairs.builds import Kiosk
from tests.pairs.expected import HOT
from tests.pairs.nodes import answers, build_road
from tests.pairs.pair import Pair
from tests.pet.load import Load, load_on
from tests.pet.shopnode import shop_node

pytestmark = pytest.mark.container

HELD = 100
RATE = 20.0
FIRST_DEEDS = (
    'Till.Basket.put("tea")',
    "Till.Journal.write()",
    "Till.Clock.tick()",
    "Till.Gate.turn()",
)
"""What is done before all: the states that it leaves have to outlive every change."""

STOPS = {
    "nothing",
    "implementation",
    "statem-migrated",
    "child-removed",
    "environment",
    "application-added",
    "held-migrated",
}
"""An upgrade takes seconds, so some lead over several changes at once; a soak takes each alone."""


@pytest.mark.parametrize(
    "stops",
    [
        pytest.param([pair for pair in HOT if pair.name in STOPS], id="some"),
        pytest.param(list(HOT), id="each", marks=pytest.mark.soak),
    ],
)
def test_hot_changes_go_up_and_back_under_load(
    kiosk: Kiosk, stops: list[Pair], tmp_path: Path
) -> None:
    road = build_road(kiosk, stops, tmp_path)
    with shop_node(road.image) as node:
        began = node.get("/")["version"]
        with load_on(node.port(4000), node.port(4001), held=HELD, rate=RATE) as load:
            for deed in FIRST_DEEDS:
                load.ask(f"eval {deed}")
            _is_at(None, load)
            for stop, bundle in zip(stops, road.bundles, strict=True):
                said = node.do("upgrade", bundle, "--watch", "0")
                assert "is permanent" in said
                _is_at(stop, load)
            for before in reversed([None, *stops[:-1]]):
                assert "without a restart" in node.do("rollback")
                _is_at(before, load)
            assert load.failures() == []
        assert node.get("/")["version"] == began
        counted = sorted(request.answer["value"] for request in load.answered("/count"))
        assert counted == list(range(1, len(counted) + 1))


def _is_at(stop: Pair | None, load: Load) -> None:
    """Everything that any change does is as it is there, and no connection has noticed."""
    assert load.failures() == []
    assert sum(load.ping_all().values()) == HELD
    where = stop.name if stop else "the beginning"
    for expression, expected in answers(stop).items():
        assert load.ask(f"eval {expression}") == expected, f"{expression} at {where}"
