"""Figures as people read them: the median and, where runs differ, the spread: `12 ms (10–15)`."""

from __future__ import annotations

from dataclasses import dataclass

from imagesmith.compare.measured import DIFFERS, Measured, Spread, Unit, Words

__all__ = ["UNKNOWN", "amount", "shown", "shown_apart"]

UNKNOWN = "–"
"""For a figure that no run could tell."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """A unit's bigger or smaller sibling: from `least` on, a number is divided by `by`."""

    least: float
    by: float
    name: str


_SCALES = {
    Unit.SECONDS: (
        _Scale(600, 60, " min"),
        _Scale(1, 1, " s"),
        _Scale(0, 0.001, " ms"),
    ),
    # In powers of ten, as registries bill them.
    Unit.BYTES: (
        _Scale(1e9, 1e9, " GB"),
        _Scale(1e6, 1e6, " MB"),
        _Scale(1e3, 1e3, " kB"),
        _Scale(0, 1, " B"),
    ),
    Unit.CORES: (_Scale(0, 1, " cores"),),
    Unit.COUNT: (_Scale(0, 1, ""),),
    Unit.WORD: (_Scale(0, 1, ""),),
}


def amount(value: float, unit: Unit) -> str:
    """One number with its unit, to about three digits: `31 ms`, `2.4 s`, `118 MB`."""
    scale = _scale(value, unit)
    return f"{_number(value / scale.by, unit)}{scale.name}"


def shown(measured: Measured | None, unit: Unit) -> str:
    """A figure of all runs. The spread is in the median's unit, and left out where there is none;
    a word that not every run said has how many did: `kept (4 of 5)`; runs that do not agree have
    how many said each: `differs (2 of 4 each)`."""
    if measured is None:
        return UNKNOWN
    if isinstance(measured, Words):
        if measured.said == measured.runs:
            return measured.word
        each = " each" if measured.word == DIFFERS else ""
        return f"{measured.word} ({measured.said} of {measured.runs}{each})"
    median, spread = shown_apart(measured, unit)
    return f"{median} ({spread})" if spread else median


def shown_apart(measured: Spread, unit: Unit) -> tuple[str, str]:
    """The median with its unit, and the spread without it, which is empty where there is none."""
    scale = _scale(measured.median or measured.high, unit)
    median, low, high = (
        _number(value / scale.by, unit) for value in (measured.median, measured.low, measured.high)
    )
    return f"{median}{scale.name}", "" if low == high else f"{low}–{high}"


def _scale(value: float, unit: Unit) -> _Scale:
    scales = _SCALES[unit]
    if unit is Unit.SECONDS and not value:
        return scales[1]
    return next(scale for scale in scales if abs(value) >= scale.least)


def _number(value: float, unit: Unit) -> str:
    """Three digits at most where that is honest; a count is whole, unless it is a median."""
    if unit is Unit.COUNT:
        return f"{value:,.1f}".removesuffix(".0")
    if unit is Unit.CORES:
        return f"{value:.2f}"
    if value and abs(value) < 99.95:
        return f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.2g}"
    return f"{value:,.0f}"
