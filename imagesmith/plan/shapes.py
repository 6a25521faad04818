"""What changes its shape: states, structs and records, and none of them told twice."""

from __future__ import annotations

from collections.abc import Iterator

from imagesmith.plan.code import Running
from imagesmith.plan.reason import Reason
from imagesmith.plan.state import state_changes, state_shapes
from imagesmith.plan.structs import record_shapes, struct_shapes

__all__ = ["shapes"]


def shapes(before: Running, after: Running) -> Iterator[Reason]:
    """The states first. Of a struct or record that one of them is or holds, whoever sees to it,
    nothing more is to be said."""
    yield from state_shapes(before, after)
    held = {
        (shape.name or "").removeprefix("Elixir.")
        for change in state_changes(before, after)
        for shape in (change.old, change.new)
        if shape
    }
    for rule in (struct_shapes, record_shapes):
        for reason in rule(before, after):
            if reason.subject not in held:
                yield reason
