"""Numbers as people read them."""

from __future__ import annotations

import pytest

from imagesmith.compare.measured import Measured, Spread, Unit, Words
from imagesmith.compare.shown import amount, shown


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, Unit.SECONDS, "0 s"),
        (0.00042, Unit.SECONDS, "0.4 ms"),
        (0.031, Unit.SECONDS, "31.0 ms"),
        (0.45, Unit.SECONDS, "450 ms"),
        (2.449, Unit.SECONDS, "2.4 s"),
        (99.99, Unit.SECONDS, "100 s"),
        (1200, Unit.SECONDS, "20.0 min"),
        (0, Unit.BYTES, "0 B"),
        (999, Unit.BYTES, "999 B"),
        (24_100_000, Unit.BYTES, "24.1 MB"),
        (118_400_000, Unit.BYTES, "118 MB"),
        (1234, Unit.COUNT, "1,234"),
        (2.5, Unit.COUNT, "2.5"),
        (1.234, Unit.CORES, "1.23 cores"),
    ],
)
def test_a_number_has_its_unit_and_three_digits_or_so(value: float, unit: Unit, text: str) -> None:
    assert amount(value, unit) == text


@pytest.mark.parametrize(
    ("measured", "unit", "text"),
    [
        (None, Unit.SECONDS, "–"),
        (Spread(0.12, 0.1, 0.15, 3), Unit.SECONDS, "120 ms (100–150)"),
        (Spread(0.12, 0.12, 0.12, 1), Unit.SECONDS, "120 ms"),
        (Spread(0, 0, 0.5, 3), Unit.SECONDS, "0 ms (0–500)"),
        (Spread(200, 198, 204, 3), Unit.COUNT, "200 (198–204)"),
        (Words("kept", 3, 3), Unit.WORD, "kept"),
        (Words("kept", 2, 3), Unit.WORD, "kept (2 of 3)"),
        (Words("differs", 2, 4), Unit.WORD, "differs (2 of 4 each)"),
    ],
)
def test_the_spread_is_told_where_there_is_one(
    measured: Measured | None, unit: Unit, text: str
) -> None:
    assert shown(measured, unit) == text
