"""HTML and SVG as trees, so that whatever a text holds stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias
from xml.etree.ElementTree import Element

__all__ = ["Content", "element", "prose"]

Content: TypeAlias = "Element | str | Iterable[Element | str | None] | None"

_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010fffd]"
)
"""Characters that neither XML 1.0 (2.2) nor HTML takes as text, or that UTF-8 cannot have."""


def element(name: str, /, *content: Content, **attributes: str | float) -> Element:
    """An element; None is no content. In names of attributes `_` stands for `-`, and one at the
    end is dropped: `class_`, `aria_label`."""
    made = Element(
        name,
        {
            key.removesuffix("_").replace("_", "-"): _clean(f"{value}")
            for key, value in attributes.items()
        },
    )
    for part in content:
        _add(made, part)
    return made


def prose(text: str) -> list[Element | str]:
    """A sentence of ours, in which what stands in backticks is code."""
    parts = re.split(r"`([^`]+)`", text)
    return [element("code", part) if at % 2 else part for at, part in enumerate(parts)]


def _add(to: Element, part: Content) -> None:
    if part is None:
        return
    if isinstance(part, Element):
        to.append(part)
    elif isinstance(part, str):
        text = _clean(part)
        if len(to):
            to[-1].tail = (to[-1].tail or "") + text
        else:
            to.text = (to.text or "") + text
    else:
        for item in part:
            _add(to, item)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
