"""Whoever watches an upgrade does not take for a crash what the relup ended itself."""

from __future__ import annotations

from imagesmith.beam.terms import consult
from imagesmith.upgrade.ends import outlasting

TREES = {
    ("till", "'Elixir.Till.Drawers'"): "<0.1.0>",
    ("till", "'Elixir.Till.Drawers'", "{notes,[1,2]}"): "<0.2.0>",
    ("till", "'Elixir.Till.Drawers'", "{notes,[1,2]}", "below"): "<0.3.0>",
    ("till", "clock"): "<0.4.0>",
    ("loyalty", "points"): "<0.5.0>",
}


def left(script: str) -> list[str]:
    (instructions,) = consult(script.encode())
    assert isinstance(instructions, list)
    return list(outlasting(TREES, instructions).values())


def test_what_no_instruction_ends_has_to_live_on() -> None:
    script = """[point_of_no_return, {load, {'Elixir.Till', soft_purge, soft_purge}},
        {suspend, [clock]}, {resume, [clock]}, {apply, {application, start, [till]}},
        {apply, {supervisor, restart_child, ['Elixir.Till.Drawers', clock]}}]."""
    assert left(script) == ["<0.1.0>", "<0.2.0>", "<0.3.0>", "<0.4.0>", "<0.5.0>"]


def test_a_child_that_is_terminated_ends_with_all_below_it() -> None:
    script = "[{apply, {supervisor, terminate_child, ['Elixir.Till.Drawers', {notes, [1, 2]}]}}]."
    assert left(script) == ["<0.1.0>", "<0.4.0>", "<0.5.0>"]


def test_an_application_that_is_stopped_ends_as_a_whole() -> None:
    assert left("[{apply, {application, stop, [loyalty]}}].")[-1] == "<0.4.0>"
