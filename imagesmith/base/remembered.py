"""Layers of a base that an earlier build has planned: their keys, and a way to plan them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from imagesmith.errors import BaseError
from imagesmith.layer.member import Member
from imagesmith.layer.split import Group, Plan
from imagesmith.oci.spec import Json, array, object_of, string

__all__ = ["RememberedPlan", "remembered_plans", "to_remember"]


@dataclass(frozen=True, slots=True)
class RememberedPlan:
    """A layer of which the key is known; it is planned again if a store lacks it.

    See `layer.split.Plan`.
    """

    name: str
    key: str
    again: Callable[[], Sequence[Plan]]
    group: Group = Group.BASE
    prefix: str = ""

    @property
    def members(self) -> list[Member]:
        """Everything in it. Raises BaseError if it can no longer be planned as it was."""
        for plan in self.again():
            if plan.key == self.key:
                return plan.members
        raise BaseError(
            "the sysroot was changed while it was being read",
            hint="Let it alone while an image is built from it, then build again.",
        )


def to_remember(plans: Iterable[Plan]) -> list[Json]:
    """What `remembered_plans` takes."""
    return [{"name": plan.name, "key": plan.key} for plan in plans]


def remembered_plans(layers: Json, again: Callable[[], Sequence[Plan]]) -> list[RememberedPlan]:
    """The plans as they were, bottom to top; all are planned `again` at once, and once at most."""
    once = cache(again)
    return [
        RememberedPlan(string(layer["name"], "name"), string(layer["key"], "key"), once)
        for layer in (object_of(item, "memo") for item in array(layers, "memo"))
    ]
