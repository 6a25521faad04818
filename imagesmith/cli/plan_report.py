"""What `imagesmith plan` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagesmith.beam.term import Term
from imagesmith.beam.terms import format_term
from imagesmith.cli.quantity import show_size
from imagesmith.cli.wrap import wrapped
from imagesmith.plan.appup import named
from imagesmith.plan.history import History
from imagesmith.plan.modules import How, ModuleChange
from imagesmith.plan.plan import Plan
from imagesmith.plan.present import Present
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.ship import Shipment

__all__ = ["history_report", "report"]

SHOWN = 12
"""How many lines of a list are shown where not all are asked for."""

SIGNS = {How.ADDED: "+", How.CHANGED: "~", How.REMOVED: "-"}
MEANS = {
    Verdict.HOT: "hot",
    Verdict.RESTART: "restart",
    Verdict.REPLACE: "replace the container",
}


def report(
    plan: Plan, ships: Shipment, present: Present | None, *, everything: bool
) -> Iterator[str]:
    """The lines: the verdict, why, and what changes."""
    if plan.is_same:
        yield f"{plan.name} {plan.before} → {plan.after}: nothing to do, both run the same"
        return
    yield f"{plan.name} {plan.before} → {plan.after}: {MEANS[plan.verdict]}"
    cut = None if everything else SHOWN
    against = [item for item in plan.told if item.verdict is not Verdict.HOT]
    remarks = [item for item in plan.told if item.verdict is Verdict.HOT]
    yield from _reasons("Why not hot, and the way out:", against)
    yield from _reasons("To know before:", remarks)
    yield from _list("Applications:", _applications(plan), None)
    yield from _list(f"Modules: {_counted(plan.modules)}", _modules(plan.modules), cut)
    yield from _list("Protocols consolidated anew:", _modules(plan.protocols), cut)
    keys = [f"{SIGNS[How(item.how)]} {item}" for item in plan.keys]
    yield from _list("Configuration, by key:", keys, cut)
    for way in ("up", "down"):
        yield from _list(f"Instructions {way}:", _instructions(plan, way), cut)
    if plan.verdict is not Verdict.REPLACE:
        yield ""
        yield f"An upgrade brings {show_size(ships.bytes)} in {ships.files} files, uncompressed."
    if present:
        yield ""
        yield (
            f"{present.repository} has {present.present} of {present.layers} layers of NEW; a push "
            f"sends {show_size(present.bytes)}."
        )


def _reasons(title: str, reasons: Sequence[Reason]) -> Iterator[str]:
    if reasons:
        yield ""
        yield title
    for item in reasons:
        word = "" if item.verdict is Verdict.HOT else f"{item.verdict}, "
        yield from wrapped(f"{item.says} ({word}{item.kind})", "  - ", "    ")
        yield from wrapped(item.way_out, "    → ", "      ")
        for line in (item.example or "").splitlines():
            yield f"        {line}".rstrip()


def _list(title: str, lines: Sequence[str], cut: int | None) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield title
    yield from (f"  {line}" for line in lines[:cut])
    if cut is not None and len(lines) > cut:
        yield f"  … and {len(lines) - cut} more (--all shows them)"


def _applications(plan: Plan) -> list[str]:
    """Each with its versions, and where its appup is from."""
    width = max((len(item.name) for item in plan.changes), default=0)
    lines = []
    for item in plan.changes:
        sign = "+" if item.before is None else "-" if item.after is None else "~"
        versions = " → ".join(filter(None, (item.before, item.after)))
        appup = f"  appup: {plan.appups[item.name].place}" if item.name in plan.appups else ""
        lines.append(f"{sign} {item.name:<{width}}  {versions}{appup}")
    return lines


def _counted(changes: Sequence[ModuleChange]) -> str:
    counts = ((how, sum(item.how is how for item in changes)) for how in How)
    return ", ".join(f"{count} {how}" for how, count in counts if count)


def _modules(changes: Sequence[ModuleChange]) -> list[str]:
    lines = []
    for item in changes:
        where = f"{item.application}: " if item.application else ""
        chunks = f" [{', '.join(item.chunks)}]" if item.chunks else ""
        lines.append(f"{SIGNS[item.how]} {where}{named([item.module])}{chunks}")
    return lines


def _instructions(plan: Plan, way: str) -> list[str]:
    lines = []
    for name, appup in plan.appups.items():
        steps: Sequence[Term] = appup.up if way == "up" else appup.down
        lines += [f"{name}: {' '.join(format_term(item).split())}" for item in steps]
    return [f"{number:>2}. {line}" for number, line in enumerate(lines, 1)]


def history_report(history: History) -> Iterator[str]:
    """Each step, then the shares, and the reasons that occur most."""
    several = len({step.name for step in history.steps}) > 1
    named_steps = [
        (f"{f'{step.name} ' if several else ''}{step.before} → {step.after}", step)
        for step in history.steps
    ]
    width = max(len(name) for name, _ in named_steps)
    for name, step in named_steps:
        kinds = ", ".join(dict.fromkeys(item.kind for item in step.against))
        yield f"{name:<{width}}  {MEANS[step.verdict]}{f': {kinds}' if kinds else ''}"
    total = len(history.steps)
    releases = "release" if total == 1 else "releases"
    yield ""
    yield f"Of your last {total} {releases} {history.count(Verdict.HOT)} could have gone hot."
    for verdict in Verdict:
        count = history.count(verdict)
        yield f"  {MEANS[verdict]:<21} {count:>4} {count / total:>5.0%}"
    if history.reasons:
        yield ""
        yield "What stood in the way most:"
    for item in history.reasons:
        yield f"  {item.kind} ({item.steps} of {total})"
        yield from wrapped(f"the last: {item.example}", "    ", "    ")
