"""The verdict in the order in which a report tells it."""

from __future__ import annotations

from imagesmith.compare.comparison import Fit, Lean, Verdict
from imagesmith.compare.report.said import said, sentence

STATE = Lean("state", Fit.PET, "state was lost on every other way")
BYTES = Lean("bytes", Fit.CATTLE, "a pet sends ten times as much")
NONE = Lean("latency", None, "latency was the same")


def test_what_stands_in_the_title_is_not_said_again() -> None:
    told = said(Verdict(Fit.PET, "A pet: state was lost on every other way.", [STATE, NONE]))
    assert told.heading == "Pet: keep the containers, and upgrade them in place"
    assert told.says == "State was lost on every other way."
    assert (told.why, told.rest) == ([], [NONE])


def test_what_more_rules_say_is_told_by_the_rules() -> None:
    says = f"It depends: {STATE.says}; {BYTES.says}."
    told = said(Verdict(Fit.DEPENDS, says, [STATE, BYTES, NONE]))
    assert told.heading == "It depends"
    assert told.says == ""
    assert (told.why, told.rest) == ([STATE, BYTES], [NONE])


def test_a_sentence_of_its_own_stands_over_the_rules() -> None:
    told = said(Verdict(Fit.PET, "200 people stay connected.", [STATE, BYTES]))
    assert told.says == "200 people stay connected."
    assert (told.why, told.rest) == ([STATE], [BYTES])


def test_a_rule_that_decides_alone_speaks_whichever_way_it_leans() -> None:
    cold = Lean("can-go-hot", None, "it cannot go hot", decides=True)
    assert said(Verdict(Fit.CATTLE, "Cattle.", [cold, BYTES])).why == [cold, BYTES]


def test_a_sentence_has_a_capital_and_a_full_stop() -> None:
    assert sentence("it was so") == "It was so."
    assert sentence("Was it?") == "Was it?"
    assert sentence("") == ""
