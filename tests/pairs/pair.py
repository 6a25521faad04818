"""A pair (OLD, NEW) of the kiosk's releases: what changes, and what a plan has to say of it."""

from __future__ import annotations

from dataclasses import dataclass

from imagesmith.plan.reason import Verdict

__all__ = ["Ask", "Pair"]


@dataclass(frozen=True, slots=True)
class Ask:
    """An Elixir expression, and what it gives on a node of OLD and of NEW, as `inspect` has it."""

    expression: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Pair:
    """`patch` is a file of fixtures/pairs/patches, `bumps` the applications that get a new version.

    `kinds` are the kinds of all reasons of the plan, remarks included. `says` are words that its
    reasons hold. `asks` tell what the upgrade does to a node, and a rollback undoes. `appups` is a
    folder of fixtures/pairs/appups. `edits` names what is changed in the finished release.
    """

    name: str
    verdict: Verdict = Verdict.HOT
    kinds: frozenset[str] = frozenset()
    bumps: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()
    patch: str | None = None
    appups: str | None = None
    edits: str | None = None
