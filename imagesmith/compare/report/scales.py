"""The scales that all timelines of a report share, so that they can be compared by eye."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagesmith.compare.report.timeline import Axis, Timeline

__all__ = ["Scales", "instant", "nice", "scales", "ticks"]

STEPS = (1, 2, 5, 10)
TICKS = 7
"""The most labels on the axis of time: so many a phone has room for."""


@dataclass(frozen=True, slots=True)
class Scales:
    """What each row ends with; 0 where nothing of the kind was asked. `requests` and `failed` are a
    second's; of the latency, which is logarithmic, `floor` and `top` are powers of ten; `memory` is
    in bytes."""

    axis: Axis
    requests: float
    failed: float
    floor: int
    top: int
    connections: int
    memory: float

    def x(self, at: float) -> str:
        """Where a time lies, as SVG has it."""
        return f"{self.share(at) * 100:.2f}%"

    def wide(self, seconds: float) -> str:
        """How wide a time is, as SVG has it."""
        return f"{seconds / (self.axis.ended - self.axis.began) * 100:.2f}%"

    def share(self, at: float) -> float:
        """Where a time lies, from 0 to 1; one that is outside lies at the edge."""
        share = (at - self.axis.began) / (self.axis.ended - self.axis.began)
        return min(1.0, max(0.0, share))

    def rise(self, seconds: float) -> float:
        """How high a latency lies, from 0 to 1."""
        if seconds <= 0:
            return 0.0
        return min(1.0, max(0.0, (math.log10(seconds) - self.floor) / (self.top - self.floor)))


def scales(axis: Axis, lines: Sequence[Timeline]) -> Scales:
    """Those in which all lines have room."""
    bins = [item for line in lines for item in line.bins]
    whole = [
        item
        for line in lines
        for item in line.bins
        if item.at >= line.began and item.at + axis.width <= line.ended
    ]
    middles = [item.middle for item in bins if item.middle]
    longest = [item.longest for item in bins if item.longest]
    floor = math.floor(math.log10(min(middles))) if middles else -3
    return Scales(
        axis=axis,
        requests=nice(_most(item.old + item.new + item.other for item in whole) / axis.width)
        if bins
        else 0.0,
        failed=nice(_most(item.failed for item in whole) / axis.width),
        floor=floor,
        top=max(floor + 1, math.ceil(math.log10(max(longest)))) if longest else 0,
        connections=int(_most(item.connections for line in lines for item in line.live)),
        memory=nice(_most(item.memory for line in lines for item in line.used)),
    )


def _most(values: Iterable[float]) -> float:
    return max(values, default=0.0)


def nice(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten that is not below `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.9999
    )


def ticks(axis: Axis) -> Iterator[float]:
    """Round times within the axis; 0 is one of them."""
    span = axis.ended - axis.began
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(step * power for step in STEPS if span / (step * power) <= TICKS)
    at = math.ceil(axis.began / step)
    while at * step <= axis.ended:
        yield at * step
        at += 1


def instant(at: float) -> str:
    """A time on the axis: `+2.4 s`, `−3 s`, `0 s`."""
    number = f"{abs(at):.1f}".removesuffix(".0")
    sign = "" if number == "0" else "+" if at > 0 else "−"
    return f"{sign}{number} s"
