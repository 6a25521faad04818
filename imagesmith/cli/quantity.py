"""Sizes and ages as people write and read them: 2GB, 512MiB, 30d."""

from __future__ import annotations

import re

from imagesmith.errors import UsageError

__all__ = ["parse_age", "parse_size", "show_age", "show_size"]

SIZES = {"": 1, "b": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("kmgt", 1)
    for suffix, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
AGES = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def parse_size(text: str, option: str) -> int:
    """Bytes; `kB` are 1000, `KiB` 1024. Raises UsageError, naming the option."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]*)", text.strip().lower())
    if found is None or found[2] not in SIZES:
        raise UsageError(f"{option} {text}: this is no size", hint="Write 2GB, 512MiB or 0.")
    return int(float(found[1]) * SIZES[found[2]])


def parse_age(text: str, option: str) -> int:
    """Seconds. Raises UsageError, naming the option."""
    found = re.fullmatch(r"([0-9]+) ?([smhdw])", text.strip().lower())
    if found is None:
        raise UsageError(f"{option} {text}: this is no time", hint="Write 30d, 12h or 4w.")
    return int(found[1]) * AGES[found[2]]


def show_size(size: int) -> str:
    """In powers of ten, as registries bill them."""
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    if size < 1_000_000_000:
        return f"{size / 1_000_000:.2f} MB"
    return f"{size / 1_000_000_000:.2f} GB"


def show_age(seconds: float) -> str:
    """How long ago, in the one unit that fits."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
