"""The job's summary, in GitHub's Markdown.

Names come from releases that anybody may have written: they are escaped, or stand in code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from imagesmith.cli.action.told import BuiltImage, BuiltLayer, Told
from imagesmith.cli.quantity import show_size
from imagesmith.markdown import prose, words

__all__ = ["PlanDocument", "failure", "plan_section", "summary"]

MEANS = {
    "hot": "goes into the running node; connections and state live on",
    "restart": "needs a new start of the node",
    "replace": "needs another container",
}


class Version(TypedDict):
    """One side of a plan."""

    version: str
    place: str


class Reason(TypedDict):
    """Why a plan is not hot, or a remark on what is."""

    verdict: str
    says: str
    way_out: str


class Ships(TypedDict):
    """What an upgrade brings to a pet."""

    files: int
    bytes: int


class PlanDocument(TypedDict):
    """What of `imagesmith plan --json` is shown (docs/plan.schema.json)."""

    name: str
    before: Version
    after: Version
    verdict: str
    nothing_to_do: bool
    reasons: Sequence[Reason]
    applications: Sequence[Mapping[str, str | None]]
    ships: Ships


def summary(told: Told, references: Sequence[str], bundle: str | None, plan: str) -> str:
    """Of a build that did its work. `references` name the images; `plan` is a section, or empty."""
    names = ", ".join(
        f"{words(image['image'])} {words(image['version'])}" for image, _ in told.images
    )
    parts = [f"### {names}", _code("\n".join(references))]
    if bundle:
        parts += ["The upgrade bundle:", _code(bundle)]
    parts.append("\n".join(_counts(told)))
    if plan:
        parts.append(plan)
    parts += [_layers(image, layers) for image, layers in told.images]
    return "\n\n".join(parts) + "\n\n"


def failure(error: str) -> str:
    """Of a build that failed; the error in full."""
    return f"### imagesmith build failed\n\n{_code(error)}\n\n"


def plan_section(plan: PlanDocument) -> str:
    """The verdict, and why; also good for a comment."""
    title = f"#### Plan: {words(plan['name'])} {words(plan['before']['version'])} → "
    title += words(plan["after"]["version"])
    if plan["nothing_to_do"]:
        return f"{title}\n\nNothing to do: both run the same."
    verdict = plan["verdict"]
    lines = [title, "", f"**{verdict}**: it {MEANS[verdict]}."]
    if verdict != "replace":
        ships = plan["ships"]
        lines[-1] += (
            f" {len(plan['applications'])} applications change; an upgrade brings "
            f"{show_size(ships['bytes'])} in {ships['files']} files."
        )
    if plan["reasons"]:
        lines.append("")
    for reason in plan["reasons"]:
        word = "to know" if reason["verdict"] == "hot" else reason["verdict"]
        lines.append(f"- *{word}*: {prose(reason['says'])}. {prose(reason['way_out'])}".rstrip())
    return "\n".join(lines)


def _counts(told: Told) -> Iterator[str]:
    layers = [layer for _, layers in told.images for layer in layers]
    found = [layer for layer in layers if layer["found"]]
    written = [layer for layer in layers if not layer["found"]]
    yield (
        f"- {len(layers)} layers, {_size(layers)}: {len(found)} reused ({_size(found)}), "
        f"{len(written)} written ({_size(written)})"
    )
    if told.pushed:
        sent = told.pushed
        yield (
            f"- {show_size(sent['bytes'])} pushed: {sent['uploaded']} blobs sent, "
            f"{sent['present']} there already, {sent['mounted']} mounted"
        )


def _layers(image: BuiltImage, layers: Sequence[BuiltLayer]) -> str:
    title = f"{words(image['image'])}: {len(layers)} layers, {show_size(image['bytes'])}"
    rows = [
        f"| {words(layer['group'])} | {words(layer['layer'])} | {show_size(layer['bytes'])} "
        f"| {words('found: ' + layer['found']) if layer['found'] else 'written'} |"
        for layer in layers
    ]
    head = ["| group | layer | size | |", "|---|---|--:|---|"]
    return "\n".join([f"<details><summary>{title}</summary>", "", *head, *rows, "", "</details>"])


def _size(layers: Sequence[BuiltLayer]) -> str:
    return show_size(sum(layer["bytes"] for layer in layers))


def _code(text: str) -> str:
    """A code block; its fence is longer than any run of backticks in it (CommonMark, 4.5)."""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"
