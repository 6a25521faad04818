"""A figure of one or many runs: what it is called, how it was measured, and what came out."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

__all__ = ["DIFFERS", "Measured", "Spread", "Unit", "Words", "measured"]


class Unit(StrEnum):
    """What a number counts."""

    SECONDS = "seconds"
    COUNT = "count"
    BYTES = "bytes"
    CORES = "cores"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Spread:
    """A number of all runs: the median, the least, the most."""

    median: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True, slots=True)
class Words:
    """A word of all runs: the commonest, how many runs said it, and how many there were. DIFFERS
    where several are the commonest; `said` is then how many runs said each of them."""

    word: str
    said: int
    runs: int


DIFFERS = "differs"
"""What is known where as many runs said one word as another: not which."""

Measured: TypeAlias = Spread | Words


def measured(values: Sequence[float | str | None]) -> Measured | None:
    """What came out of all runs; those that could not tell (None) do not count."""
    words = [value for value in values if isinstance(value, str)]
    if words:
        (word, said), *others = Counter(words).most_common(2)
        tied = any(times == said for _, times in others)
        return Words(DIFFERS if tied else word, said, len(words))
    numbers = [value for value in values if isinstance(value, int | float)]
    if not numbers:
        return None
    return Spread(statistics.median(numbers), min(numbers), max(numbers), len(numbers))
