"""Many releases: their order, and what is said of the steps between them."""

from __future__ import annotations

import random

import pytest

from imagesmith.plan.history import History, Step, version_order
from imagesmith.plan.reason import Reason, Verdict


@pytest.mark.parametrize(
    "ordered",
    [
        ["0.9.0", "0.10.0", "1.0.0"],
        # semver.org, 11.4
        ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-rc.1", "1.0.0"],
        ["1.0.0", "1.0.0+12", "1.0.0+100"],
        ["2024.9", "2024.11", "2024.11.1"],
        ["build9", "build10"],
    ],
)
def test_versions_are_sorted_as_people_count(ordered: list[str]) -> None:
    mixed = ordered[:]
    random.Random(7).shuffle(mixed)
    assert sorted(mixed, key=version_order) == ordered


def step(before: str, after: str, verdict: Verdict, *reasons: tuple[str, str]) -> Step:
    against = tuple(Reason(verdict, kind, says, "") for kind, says in reasons)
    return Step("shop", before, after, verdict, against)


def test_a_kind_counts_once_a_step_and_the_commonest_comes_first() -> None:
    history = History(
        (
            step("1", "2", Verdict.HOT),
            step("2", "3", Verdict.RESTART, ("appup", "x"), ("appup", "y"), ("state-shape", "z")),
            step("3", "4", Verdict.REPLACE, ("appup", "w")),
        )
    )
    assert [history.count(verdict) for verdict in Verdict] == [1, 1, 1]
    assert [(item.kind, item.steps, item.example) for item in history.reasons] == [
        ("appup", 2, "3 → 4: w"),
        ("state-shape", 1, "2 → 3: z"),
    ]
