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
    nothing more is to be said, unless other modules have to do with that struct."""
    yield from state_shapes(before, after)
    held: dict[str, set[str]] = {}
    for change in state_changes(before, after):
        for shape in (change.old, change.new):
            if shape and shape.name:
                held.setdefault(shape.name.removeprefix("Elixir."), set()).add(change.module)
    yield from struct_shapes(before, after, held)
    for reason in record_shapes(before, after):
        if reason.subject not in held:
            yield reason
