"""Words in Markdown that stay words, whatever is in them.

Names come from releases that anybody may have written, and failures from what others answered.
"""

from __future__ import annotations

import html
import re

__all__ = ["prose", "words"]


def words(text: str) -> str:
    """One line, in which of Markdown and HTML nothing is left."""
    plain = re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", " ".join(text.split()))
    # What begins a list, a heading or a rule where it begins a line (CommonMark, 4 and 5).
    plain = re.sub(r"^([-+=]|\d+(?=[.)](?:\s|$)))", _at_begin, plain)
    return html.escape(plain, quote=False)


def prose(text: str) -> str:
    """A sentence of ours: what it has in backticks is code, and the rest are words."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return "".join(f"`{part}`" if at % 2 else _spaced(part) for at, part in enumerate(parts))


def _at_begin(found: re.Match[str]) -> str:
    return f"{found[1]}\\" if found[1].isdecimal() else f"\\{found[1]}"


def _spaced(text: str) -> str:
    """As `words`, with the blanks at both ends that it has."""
    before, after = text[:1].isspace() * " ", text[1:][-1:].isspace() * " "
    return f"{before}{words(text)}{after}"
