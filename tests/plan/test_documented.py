"""docs/plan.md has every reason that a plan can give."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import imagesmith.plan
from tests.shop import REPO

ROOM = Path(imagesmith.plan.__file__).parent
KIND = re.compile(r"[a-z]+(-[a-z]+)*")


def kinds() -> Iterator[tuple[str, str]]:
    """Each kind that is written in a call of Reason, or of what makes one, and its file."""
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            place = {"Reason": 1, "_replace": 0}.get(node.func.id)
            if place is None or len(node.args) <= place:
                continue
            kind = node.args[place]
            if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
                yield kind.value, path.name


def test_every_kind_of_reason_is_documented() -> None:
    found = set(kinds())
    assert {"erts", "appup", "struct-shape", "config-provider"} <= {kind for kind, _ in found}
    told = set(re.findall(r"`([a-z-]+)`", (REPO / "docs/plan.md").read_text()))
    assert {(kind, place) for kind, place in found if kind not in told} == set()
    assert all(KIND.fullmatch(kind) for kind, _ in found)
