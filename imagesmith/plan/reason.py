"""Why a change goes hot or does not: one reason, and the way out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Reason", "Verdict"]


class Verdict(StrEnum):
    """How NEW can take the place of OLD, from the gentlest way to the hardest."""

    HOT = "hot"
    """In the running node: connections and state live on."""
    RESTART = "restart"
    """On the same image and volume, with a new start of the node."""
    REPLACE = "replace"
    """Only with another container, made of NEW's own image."""

    @property
    def hardness(self) -> int:
        """0 for hot, 1 for restart, 2 for replace."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Reason:
    """What forces a verdict. One of HOT forces nothing: it is a remark on what an upgrade does.

    `kind` names the rule, as docs/plan.md does (`native-code`, `state-shape`). `says` is one
    sentence without its full stop, `way_out` a sentence on what would make it hot. `application`
    and `subject` (a module, a child, a key) say where; `example` is code to write, lines of it.
    """

    verdict: Verdict
    kind: str
    says: str
    way_out: str
    application: str | None = None
    subject: str | None = None
    example: str | None = None
