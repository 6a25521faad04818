"""An image's history: a line a layer, from which a layer of an image gets its name again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagesmith.layer.layer import Layer
from imagesmith.layer.split import Group
from imagesmith.oci.spec import Json, array, object_of

__all__ = ["history_line", "layer_names"]

LINE = re.compile(r"imagesmith: (\S+) layer, (.+)")


def history_line(layer: Layer) -> str:
    """What the history says of a layer, as Docker's `history` shows it."""
    return f"imagesmith: {layer.group} layer, {layer.name}"


def layer_names(config: Mapping[str, Json], count: int, place: str) -> list[tuple[Group, str]]:
    """Group and name of each layer, by the image's history where that is of our making.

    Raises BaseError, naming `place`, if the configuration is broken.
    """
    lines = []
    for item in array(config.get("history") or [], f"{place}: history"):
        entry = object_of(item, f"{place}: history")
        if not entry.get("empty_layer"):
            lines.append(str(entry.get("created_by", "")))
    if len(lines) != count:
        lines = [""] * count
    found = [LINE.fullmatch(line) for line in lines]
    return [
        (Group(match[1]), match[2])
        if match and match[1] in set(Group)
        else (Group.BASE, f"layer {number}")
        for number, match in enumerate(found, 1)
    ]
