"""Text in lines as wide as the terminal, for people."""

from __future__ import annotations

import shutil
import textwrap

__all__ = ["wrapped"]

WIDEST = 100
NARROWEST = 24
"""Characters that a line has beside its indent, however narrow the terminal is."""


def wrapped(text: str, first: str = "", rest: str | None = None) -> list[str]:
    """The lines of a paragraph; `first` stands before the first, `rest` (or else `first`) before
    the others. No word is broken: it may be a path."""
    indent = first if rest is None else rest
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    return textwrap.wrap(
        text,
        max(width, len(indent) + NARROWEST),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
