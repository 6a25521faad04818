"""The files of a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from imagesmith.compare.comparison import Comparison
from imagesmith.compare.figure import Figure
from imagesmith.compare.report.document import document
from imagesmith.compare.report.html import html
from imagesmith.compare.report.markdown import markdown
from imagesmith.compare.report.picture import picture
from imagesmith.oci.temporary import temporary

__all__ = ["write_reports"]

PICTURE = "compare.svg"


def write_reports(comparison: Comparison, folder: Path, figures: Sequence[Figure]) -> list[Path]:
    """Write report.html, report.md, report.json and, where something ran, compare.svg into
    `folder`, in the place of older ones.

    Returns where they are. Each is whole, and none is replaced before all are written. Raises
    OSError.
    """
    drawn = picture(comparison, figures)
    texts = {
        "report.html": html(comparison, figures),
        "report.md": markdown(comparison, figures),
        "report.json": json.dumps(document(comparison, figures), indent=1, ensure_ascii=False)
        + "\n",
    }
    if drawn is not None:
        texts[PICTURE] = drawn
    with ExitStack() as stack:
        written = {}
        for name, text in texts.items():
            file = stack.enter_context(temporary(folder, prefix=".report-"))
            file.file.write(text.encode("utf-8", "replace"))
            file.file.flush()
            written[folder / name] = file
        for path, file in written.items():
            file.keep(path)
    if drawn is None:
        (folder / PICTURE).unlink(missing_ok=True)
    return list(written)
