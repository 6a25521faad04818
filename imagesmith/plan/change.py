"""What becomes of an application between two releases."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """An application's versions; None where that release does not have it."""

    name: str
    before: str | None
    after: str | None
