"""A person's own appup has to do what a generated one would do for children."""

from __future__ import annotations

import pytest

from imagesmith.beam.term import Term
from imagesmith.beam.terms import consult
from imagesmith.plan.appup import Appup
from imagesmith.plan.by_hand import by_appup
from imagesmith.plan.generate import GENERATED
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.supervision import GOES_ON

HOT, RESTART = Verdict.HOT, Verdict.RESTART
APPLY = "{apply, {supervisor, start_child, [sup, {c, {c, start_link, []}}]}}"
UPDATE = "{update, 'Elixir.Own.Sup', supervisor}"
WHOLE = "{restart_application, own}"


def steps(text: str) -> list[Term]:
    [found] = consult(f"[{text}].".encode())
    assert isinstance(found, list)
    return found


def asked(verdict: Verdict, kind: str, subject: str = "Own.C", way_out: str = "x") -> Reason:
    return Reason(verdict, kind, "Own.Sup has a new child", way_out, "own", subject)


@pytest.mark.parametrize(
    ("verdict", "kind", "subject", "up", "down", "expected"),
    [
        (HOT, "child-added", "Own.C", APPLY, APPLY, HOT),
        (HOT, "child-added", "Own.C", APPLY, "", RESTART),
        (HOT, "child-added", "Own.C", UPDATE, UPDATE, RESTART),
        (HOT, "child-removed", "Own.C", WHOLE, WHOLE, HOT),
        (RESTART, "child-changed", "Own.Sup.init/1", UPDATE, UPDATE, HOT),
        (RESTART, "child-changed", "Own.Sup.init/1", "", "", RESTART),
        (RESTART, "start-changed", "Own.start/2", WHOLE, APPLY, HOT),
        (HOT, "start-changed", "Own.start/2", "", "", HOT),
        (HOT, "application-added", "Own.C", "", "", HOT),
        (RESTART, "state-shape", "Own.C", APPLY, APPLY, RESTART),
    ],
)
def test_it_counts_for_what_it_does_both_ways(
    verdict: Verdict, kind: str, subject: str, up: str, down: str, expected: Verdict
) -> None:
    appup = Appup("own.appup", b"", steps(up), steps(down))
    found = by_appup(asked(verdict, kind, subject), appup)
    assert found.verdict is expected
    if expected is not verdict:
        assert "own.appup" in found.says + found.way_out


def test_what_goes_on_by_itself_and_what_is_generated_stay_as_they_are() -> None:
    by_hand = Appup("own.appup", b"", [], [])
    goes_on = asked(HOT, "child-changed", way_out=GOES_ON)
    assert by_appup(goes_on, by_hand) == goes_on
    generated = Appup(GENERATED, b"", [], [])
    for appup in (None, generated):
        assert by_appup(asked(HOT, "child-added"), appup) == asked(HOT, "child-added")
