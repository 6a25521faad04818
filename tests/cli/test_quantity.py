from __future__ import annotations

import pytest

from imagesmith.cli.quantity import parse_age, parse_size, show_age, show_size
from imagesmith.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12", 12),
        ("3b", 3),
        ("2GB", 2_000_000_000),
        ("2g", 2_000_000_000),
        ("1.5 MiB", 1_572_864),
        ("1k", 1000),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes_are_read_in_powers_of_ten_and_of_two(text: str, size: int) -> None:
    assert parse_size(text, "--max-size") == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1XB", "1e9", "²", "1 G B", "1.", "nan"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text, "--max-size")
    assert caught.value.hint == "Write 2GB, 512MiB or 0."


def test_ages_are_read_in_seconds() -> None:
    ages = ("30d", "12h", "4w", "5m", "0s")
    assert [parse_age(text, "--older-than") for text in ages] == [
        30 * 86_400,
        12 * 3600,
        28 * 86_400,
        300,
        0,
    ]


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "1.5d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="this is no time"):
        parse_age(text, "--older-than")


def test_sizes_and_ages_are_shown_in_one_unit() -> None:
    assert [show_size(size) for size in (0, 1234, 2_345_678, 3_456_789_012)] == [
        "0.0 kB",
        "1.2 kB",
        "2.35 MB",
        "3.46 GB",
    ]
    assert [show_age(age) for age in (-5, 59, 60, 7200, 86_400, 9e6)] == [
        "just now",
        "just now",
        "1 minute ago",
        "2 hours ago",
        "1 day ago",
        "104 days ago",
    ]
