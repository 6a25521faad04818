"""What is called comes before its callers."""

from __future__ import annotations

import random
from itertools import pairwise

from imagesmith.plan.order import callees_first


def test_callees_come_first_and_strangers_do_not_count() -> None:
    calls = {"web": {"shop", "lists"}, "shop": {"money"}, "money": set(), "alone": {"erlang"}}
    assert callees_first(calls) == [("alone",), ("money",), ("shop",), ("web",)]


def test_modules_that_call_each_other_in_a_circle_are_a_group() -> None:
    calls = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"d"}, "e": {"b"}}
    assert callees_first(calls) == [("d",), ("a", "b", "c"), ("e",)]


def test_a_long_chain_is_no_matter() -> None:
    names = [f"m{number:05}" for number in range(5000)]
    chain = {name: {after} for name, after in pairwise(names)} | {names[-1]: set[str]()}
    assert callees_first(chain) == [(name,) for name in reversed(names)]


def test_no_group_stands_before_one_that_it_calls() -> None:
    chance = random.Random(6)
    for _ in range(300):
        names = [f"m{number}" for number in range(chance.randint(1, 12))]
        calls = {name: set(chance.choices(names, k=chance.randint(0, 3))) for name in names}
        groups = callees_first(calls)
        at = {module: number for number, group in enumerate(groups) for module in group}
        assert at.keys() == set(names)
        for name, callees in calls.items():
            for callee in callees:
                assert at[callee] <= at[name]
                if at[callee] == at[name]:
                    assert _reaches(callee, name, calls)


def _reaches(start: str, end: str, calls: dict[str, set[str]]) -> bool:
    seen = {start}
    waiting = [start]
    while waiting:
        for callee in calls[waiting.pop()] - seen:
            seen.add(callee)
            waiting.append(callee)
    return end in seen
