"""Many releases: which of the steps between neighbours could have gone hot, and what stood in the
way of the others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from imagesmith.plan.plan import Plan
from imagesmith.plan.reason import Reason, Verdict

__all__ = ["Commonest", "History", "Step", "version_order"]


@dataclass(frozen=True, slots=True)
class Step:
    """From one release to the next; `against` is what forced the verdict."""

    name: str
    before: str
    after: str
    verdict: Verdict
    against: tuple[Reason, ...]

    @classmethod
    def of(cls, plan: Plan) -> Step:
        """What a plan comes to."""
        against = tuple(item for item in plan.told if item.verdict is not Verdict.HOT)
        return cls(plan.name, plan.before, plan.after, plan.verdict, against)


@dataclass(frozen=True, slots=True)
class Commonest:
    """A kind of reason: in how many steps it stood against a hot upgrade, and the last that said
    so."""

    kind: str
    steps: int
    example: str


@dataclass(frozen=True, slots=True)
class History:
    """The steps, in the order of the versions."""

    steps: tuple[Step, ...]

    def count(self, verdict: Verdict) -> int:
        """How many of the steps came to this."""
        return sum(step.verdict is verdict for step in self.steps)

    @property
    def reasons(self) -> list[Commonest]:
        """The kinds of reasons, the commonest first."""
        found: dict[str, Commonest] = {}
        for step in self.steps:
            for kind, reason in {item.kind: item for item in step.against}.items():
                before = found.get(kind)
                count = before.steps + 1 if before else 1
                says = f"{step.before} → {step.after}: {reason.says}"
                found[kind] = Commonest(kind, count, says)
        return sorted(found.values(), key=lambda item: (-item.steps, item.kind))


def version_order(version: str) -> tuple[object, ...]:
    """A key that sorts versions: numbers as such, and before 1.0.0 its release candidates.

    As semver.org (11.) has it where the version is one; any other is sorted by its numbers and
    words all the same.
    """
    core, _, build = version.partition("+")
    numbers, dash, pre = core.partition("-")
    return (_parts(numbers), not dash, _parts(pre), _parts(build))


def _parts(text: str) -> tuple[tuple[int, int, str], ...]:
    words: Iterable[str] = re.findall(r"[0-9]+|[^0-9.\-_+]+", text)
    return tuple((0, int(word), "") if word.isdigit() else (1, 0, word) for word in words)
