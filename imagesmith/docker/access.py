"""What a build in BuildKit may use of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["NO_ACCESS", "Access"]


@dataclass(frozen=True, slots=True)
class Access:
    """What a build may use and nothing of it keeps: buildx's `--secret` and `--ssh`."""

    secrets: Sequence[str] = ()
    ssh: str | None = None


NO_ACCESS = Access()
