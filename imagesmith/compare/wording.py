"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["show_bytes", "show_cores", "show_count", "show_seconds"]


def show_seconds(seconds: float) -> str:
    """`0 s`, `12 ms`, `0.43 s`, `12.3 s`, `2 min 5 s`."""
    if seconds == 0:
        return "0 s"
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def show_count(number: float) -> str:
    """`1,234`; a median of an even number of runs can be a half: `0.5`."""
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def show_bytes(number: float) -> str:
    """`812 B`, `34.5 kB`, `1.2 MB`, `3.4 GB`: thousands, as registries and disks count."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number:,.0f} B"


def show_cores(cores: float) -> str:
    """`0.12`."""
    return f"{cores:.2f}"
