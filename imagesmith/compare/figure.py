"""What a figure is: read off one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagesmith.compare.measured import Unit
from imagesmith.compare.run import Run

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a scenario.

    `key` is its name in report.json; `title` in tables; `method` says in a sentence or two how it
    is measured and what it leaves out; `of` reads it off a run, None where the run cannot tell.
    `group` is the heading that it stands under.
    """

    key: str
    title: str
    unit: Unit
    group: str
    method: str
    of: Callable[[Run], float | str | None]
