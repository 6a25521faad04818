"""The history of a pet's upgrades: JSON lines on its volume, which are only ever added to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from imagesmith.upgrade.volume import Volume

__all__ = ["RAN", "Event", "read_history"]

RAN = "ran "
"""How the detail of an upgrade begins that ran hooks."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line: when (UTC), who, what they did, between which versions, and what came of it."""

    time: str
    who: str
    action: str
    before: str
    after: str
    result: str
    detail: str

    @property
    def hooks(self) -> str:
        """The commands that ran before the installation, or ""."""
        return self.detail.removeprefix(RAN) if self.detail.startswith(RAN) else ""


def read_history(volume: Volume) -> Sequence[Event]:
    """The oldest first. A line that a crash cut short is left out. Raises DockerError."""
    answer = volume.sh(f"cat {volume.marks}/history")
    return [event for line in answer.text.splitlines() if (event := _event(line))]


def _event(line: str) -> Event | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    keys = ("time", "who", "action", "from", "to", "result", "detail")
    return Event(*(str(found.get(key, "")) for key in keys))
