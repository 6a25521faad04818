"""The parts of report.html that are words and tables: all figures, costs, plan, rules, methods,
the machine, the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from imagesmith.compare.comparison import Comparison, Lean
from imagesmith.compare.figure import Figure
from imagesmith.compare.report.headline import cost_rows, grouped, lives, named, told
from imagesmith.compare.report.limits import limits
from imagesmith.compare.report.markup import element, prose
from imagesmith.compare.report.said import said, sentence
from imagesmith.compare.report.setting import machine_pairs, workload_pairs

__all__ = [
    "costs",
    "figures_table",
    "lean",
    "limits_list",
    "methods",
    "plan",
    "rules",
    "setting",
]


def lean(item: Lean) -> Element:
    """A rule of the verdict: which way it leans, and the figure."""
    towards = item.towards or "neither"
    return element(
        "li",
        element("span", towards, class_=f"life {(item.towards or 'none').split()[0]}"),
        element("span", prose(sentence(item.says))),
    )


def figures_table(comparison: Comparison, figures: Sequence[Figure]) -> Element | None:
    """Every figure of every scenario."""
    outcomes = [outcome for outcome in comparison.outcomes if outcome.not_run is None]
    if not outcomes:
        return None
    head = element(
        "tr",
        element("th", "Median (least–most)", scope="col"),
        [
            element(
                "th",
                outcome.scenario,
                element("small", "means nothing") if outcome.noise else None,
                scope="col",
                class_="number",
            )
            for outcome in outcomes
        ],
    )
    bodies = []
    for group, members in grouped(figures):
        rows = [element("tr", element("th", group, scope="rowgroup", colspan=len(outcomes) + 1))]
        rows += [
            element(
                "tr",
                element("th", element("a", named(figure), href=f"#m-{figure.key}"), scope="row"),
                [
                    element(
                        "td",
                        told(outcome, figure),
                        class_="number meaningless" if outcome.noise else "number",
                    )
                    for outcome in outcomes
                ],
            )
            for figure in members
        ]
        bodies.append(element("tbody", rows))
    return element(
        "section",
        element("h2", "All figures", id="figures"),
        element(
            "div",
            element("table", element("thead", head), bodies, class_="figures"),
            class_="scrolls",
            role="region",
            tabindex="0",
            aria_labelledby="figures",
        ),
    )


def costs(comparison: Comparison) -> Element | None:
    """What a change costs without a load."""
    if not comparison.costs:
        return None
    head = element(
        "tr",
        element("th", "Without a load", scope="col"),
        [element("th", life, scope="col", class_="number") for life in lives(comparison)],
    )
    body = [
        element(
            "tr",
            element("th", name, scope="row"),
            [element("td", cell, class_="number") for cell in cells],
        )
        for name, cells in cost_rows(comparison)
    ]
    return element(
        "section",
        element("h2", "What it costs to send and to build", id="costs"),
        element(
            "div",
            element("table", element("thead", head), element("tbody", body), class_="costs"),
            class_="scrolls",
            role="region",
            tabindex="0",
            aria_labelledby="costs",
        ),
        element(
            "p",
            "Bytes where OLD is already: compressed, but for the files that go onto a pet's "
            "volume. A day's include the registry's part.",
            class_="fine",
        ),
    )


def plan(comparison: Comparison) -> Element:
    """What can be said before anything is run."""
    history = comparison.history
    past = None
    if history and history.changes:
        past = element(
            "p",
            f"Of the last {history.changes} changes {history.hot} could have gone hot, "
            f"{history.restart} needed a restart, {history.replace} another container.",
        )
    return element(
        "section",
        element("h2", "What the plan says", id="plan"),
        element("p", "This change: ", element("b", comparison.planned.verdict), "."),
        element("ul", [element("li", prose(reason)) for reason in comparison.planned.reasons])
        if comparison.planned.reasons
        else None,
        past,
    )


def rules(comparison: Comparison) -> Element | None:
    """What else was weighed."""
    rest = said(comparison.verdict).rest
    if not rest:
        return None
    return element(
        "section",
        element("h2", "What else was weighed", id="rules"),
        element("ul", [lean(item) for item in rest], class_="leans small"),
    )


def methods(comparison: Comparison, figures: Sequence[Figure]) -> Element | None:
    """How each figure is measured."""
    if not comparison.outcomes:
        return None
    return element(
        "section",
        element("h2", "How it was measured", id="methods"),
        element(
            "div",
            [part for group, members in grouped(figures) for part in _methods(group, members)],
            class_="methods",
        ),
    )


def _methods(group: str, figures: Sequence[Figure]) -> Iterator[Element]:
    yield element("h3", group)
    yield element(
        "dl",
        [
            part
            for figure in figures
            for part in (
                element("dt", named(figure), id=f"m-{figure.key}"),
                element("dd", prose(figure.method)),
            )
        ],
    )


def setting(comparison: Comparison) -> Element | None:
    """The load and the machine."""
    pairs = [] if comparison.static else workload_pairs(comparison.workload)
    if comparison.machine:
        pairs += machine_pairs(comparison.machine)
    if not pairs:
        return None
    return element(
        "section",
        element("h2", "The load and the machine", id="setting"),
        element(
            "dl",
            [element("div", element("dt", name), element("dd", value)) for name, value in pairs],
            class_="setting",
        ),
    )


def limits_list(comparison: Comparison) -> Element:
    """What the comparison cannot say."""
    return element(
        "section",
        element("h2", "What this does not say", id="limits"),
        element("ul", [element("li", prose(item)) for item in limits(comparison)], class_="limits"),
    )
