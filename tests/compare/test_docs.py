"""docs/compare.md says what the code does."""

from __future__ import annotations

from docs.figures import PAGE, page
from imagesmith.compare.verdict import RULES, judge
from tests.compare.test_verdict import evidence, replaced, upgraded


def test_the_figures_are_those_of_the_code() -> None:
    """`python docs/figures.py` writes them anew."""
    assert PAGE.read_text() == page()


def test_every_rule_that_can_speak_is_told() -> None:
    text = PAGE.read_text()
    told = judge(evidence(replaced(state="lost"), upgraded(state="kept")))
    assert {lean.rule for lean in told.leans} == {"state", "connections"}
    for rule in RULES:
        name = {"often": "history"}.get(rule.__name__, rule.__name__.replace("_", "-"))
        assert f"| `{name}` |" in text
