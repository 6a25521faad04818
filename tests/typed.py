"""What somebody types at a prompt, taken apart."""

from __future__ import annotations

import re
import shlex

from imagesmith.cli.commands import GROUPS

__all__ = ["called"]


def called(line: str) -> tuple[str, list[str]] | None:
    """The command that a line of a shell calls, and its words; None if it calls no imagesmith."""
    found = re.search(r"\bimagesmith (.*)", line.partition(" #")[0])
    if not found:
        return None
    words = shlex.split(found[1].replace(")", " "))
    end = next((at for at, word in enumerate(words) if word in (">", "|", "&&")), len(words))
    name = "imagesmith"
    for at, word in enumerate(words[:end]):
        name = f"{name} {word}"
        if name not in GROUPS:
            return name, words[at + 1 : end]
    return name, []
