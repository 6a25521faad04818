"""The last part of compare.md: each figure as imagesmith.compare.figures has it.

`python docs/figures.py` writes it anew; tests/compare/test_docs.py holds that it is up to date.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from imagesmith.compare.figures import FIGURES

PAGE = Path(__file__).with_name("compare.md")
HEADING = "## Each figure\n"
WIDTH = 106


def page() -> str:
    """The page, with its last part written anew."""
    before, heading, _ = PAGE.read_text().partition(HEADING)
    return before + heading + "\n".join(_figures()) + "\n"


def _figures() -> Iterator[str]:
    yield ""
    yield "By its key in report.json. A dash in a table is a figure that no run could tell."
    for group, figures in groupby(FIGURES, lambda figure: figure.group):
        yield f"\n### {group}\n"
        for figure in figures:
            text = f"- **{figure.title}** (`{figure.key}`, {figure.unit.value}). {figure.method}"
            yield textwrap.fill(
                text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
            )


if __name__ == "__main__":
    PAGE.write_text(page())
