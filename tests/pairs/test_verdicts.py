"""A plan says of each pair what was written down before: its verdict, and every reason's kind."""

from __future__ import annotations

import pytest

from imagesmith.plan.reason import Verdict
from tests.pairs.builds import KIOSK, Kiosk
from tests.pairs.expected import ADVISED, HOT, REFUSED
from tests.pairs.pair import Pair
from tests.pairs.plans import plan_of

pytestmark = pytest.mark.release

PAIRS = (*HOT, *REFUSED)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_plan_says_what_was_expected(kiosk: Kiosk, pair: Pair) -> None:
    plan = plan_of(kiosk, pair)
    reasons = [f"{item.verdict}, {item.kind}: {item.says}" for item in plan.told]
    kinds = frozenset(item.kind for item in plan.told)
    assert (plan.verdict, kinds) == (pair.verdict, pair.kinds), reasons
    for words in pair.says:
        assert any(words in reason for reason in reasons), reasons


@pytest.mark.parametrize("name", ADVISED)
def test_the_example_is_what_makes_it_hot(kiosk: Kiosk, name: str) -> None:
    """Word for word: that pair goes up and back in a container."""
    (pair,) = (pair for pair in REFUSED if pair.name == name)
    (example,) = (reason.example for reason in plan_of(kiosk, pair).told if reason.example)
    patch = (KIOSK / f"patches/{ADVISED[name]}.patch").read_text()
    added = "".join(line[1:] for line in patch.splitlines() if line.startswith("+"))
    assert "def code_change(" in example
    for clause in example.split("\n\n"):
        assert "".join(clause.split()) in "".join(added.split())


def test_each_reason_has_its_pair_and_there_are_many() -> None:
    assert len(PAIRS) >= 20
    assert {pair.verdict for pair in PAIRS} == set(Verdict)
