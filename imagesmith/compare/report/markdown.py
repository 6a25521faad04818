"""A comparison as report.md, in GitHub's Markdown: for a pull request, or a job's summary.

Names come from releases that anybody may have written: they are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagesmith.compare.comparison import Comparison, Lean
from imagesmith.compare.figure import Figure
from imagesmith.compare.report.headline import (
    cost_rows,
    grouped,
    headline,
    lives,
    named,
    notes,
    told,
)
from imagesmith.compare.report.limits import limits
from imagesmith.compare.report.said import said, sentence
from imagesmith.compare.report.setting import machine_pairs, workload_pairs
from imagesmith.markdown import prose, words

__all__ = ["markdown"]


def markdown(comparison: Comparison, figures: Sequence[Figure]) -> str:
    """The document: the verdict first, and what few will read folded."""
    return "\n\n".join(_parts(comparison, figures)) + "\n"


def _parts(comparison: Comparison, figures: Sequence[Figure]) -> Iterator[str]:
    verdict = said(comparison.verdict)
    means = f": {verdict.means}" if verdict.means else ""
    change = " ".join((comparison.name, comparison.old, "→", comparison.new))
    yield f"### {words(change)}"
    yield f"**{verdict.title}**{means}. {prose(verdict.says)}".rstrip()
    if verdict.why:
        yield _listed(_lean(item) for item in verdict.why)
    if comparison.static is not None:
        yield f"Nothing was run: {words(comparison.static)}."
    yield from _figures(comparison, headline(comparison, figures))
    noted = [f"{item.scenario}: {text}" for item in comparison.outcomes for text in notes(item)]
    if noted:
        yield _listed(noted)
    if comparison.static is None:
        yield _folded("All figures", *_all(comparison, figures))
    if comparison.costs:
        heads = ["", *lives(comparison)]
        yield _folded("What it costs to send and to build", _table(heads, cost_rows(comparison)))
    yield _folded("The plan, and what else was weighed", *_weighed(comparison))
    if comparison.static is None:
        methods = (f"`{item.key}`: {item.title}. {item.method}" for item in figures)
        yield _folded("How it was measured", _listed(methods))
        pairs = workload_pairs(comparison.workload)
        pairs += machine_pairs(comparison.machine) if comparison.machine else []
        rows = [(name, [value]) for name, value in pairs]
        yield _folded("The load and the machine", _table(["", ""], rows))
    yield _folded("What this does not say", _listed(limits(comparison)))


def _figures(comparison: Comparison, figures: Sequence[Figure]) -> Iterator[str]:
    """A table, of the scenarios that ran; nothing where none did."""
    run = [outcome for outcome in comparison.outcomes if outcome.not_run is None]
    if run and figures:
        heads = [f"{item.scenario}{' (noise)' if item.noise else ''}" for item in run]
        rows = [(named(item), [told(outcome, item) for outcome in run]) for item in figures]
        yield _table(["", *heads], rows)


def _all(comparison: Comparison, figures: Sequence[Figure]) -> Iterator[str]:
    yield "Medians of all runs, with the least and the most in parentheses."
    for group, members in grouped(figures):
        yield f"**{words(group)}**"
        yield from _figures(comparison, members)


def _weighed(comparison: Comparison) -> Iterator[str]:
    yield f"This change: **{words(comparison.planned.verdict)}**."
    if comparison.planned.reasons:
        yield _listed(comparison.planned.reasons)
    history = comparison.history
    if history and history.changes:
        yield (
            f"Of the last {history.changes} changes {history.hot} could have gone hot, "
            f"{history.restart} needed a restart, {history.replace} another container."
        )
    rest = said(comparison.verdict).rest
    if rest:
        yield _listed(_lean(item) for item in rest)


def _lean(item: Lean) -> str:
    return f"{item.towards or 'neither'}: {sentence(item.says)}"


def _table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [_cells(heads), "|---" + "|--:" * (len(heads) - 1) + "|"]
    lines += [_cells([name, *cells]) for name, cells in rows]
    return "\n".join(lines)


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(words, cells))} |"


def _listed(sentences: Iterator[str] | Sequence[str]) -> str:
    return "\n".join(f"- {prose(item)}" for item in sentences)


def _folded(title: str, *parts: str) -> str:
    return "\n\n".join((f"<details><summary>{title}</summary>", *parts, "</details>"))
