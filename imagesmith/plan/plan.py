"""What leads from one release to the next: what changes, by which appups, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagesmith.beam.release import Release
from imagesmith.errors import UpgradeError
from imagesmith.plan.appup import Appup, find_appup
from imagesmith.plan.change import Change
from imagesmith.plan.code import Running
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.standing import REPLACE, compare_applications, compare_releases
from imagesmith.plan.words import differing, modules_listed

__all__ = ["Plan", "make_plan"]

UNKNOWN = "Take it out of the appup, or write its name right."
LEFT_OUT = "Name each changed module: load_module or update, add_module, delete_module."


@dataclass(frozen=True, slots=True)
class Plan:
    """From `before` to `after`, two versions of the release `name`.

    `changes` are the applications that change, in the order of NEW's `.rel`, removed ones last;
    `appups` has those of them that need one and have it.
    """

    name: str
    before: str
    after: str
    changes: tuple[Change, ...]
    appups: Mapping[str, Appup]
    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        """The hardest that a reason forces."""
        return max(
            (item.verdict for item in self.reasons),
            key=lambda verdict: verdict.hardness,
            default=Verdict.HOT,
        )

    def check_hot(self) -> None:
        """Raise UpgradeError with every reason that stands against a hot upgrade."""
        against = [item for item in self.reasons if item.verdict is not Verdict.HOT]
        if against:
            what = f"{self.name}: no hot upgrade from {self.before} to {self.after}"
            raise _refusal(what, against)


def make_plan(before: Running, after: Running, appups: Path | None) -> Plan:
    """What leads from one release to the next; `appups` is the recipe's folder of them.

    Raises ReleaseError for a release that is broken, UsageError for an appup that cannot be read.
    """
    old, new = before.release, after.release
    reasons = list(compare_releases(before, after))
    if not reasons:
        reasons += compare_applications(before, after)
    changes = tuple(_changes(before, after))
    found: dict[str, Appup] = {}
    # Another container needs no appups: what they lack would only hide why.
    for change in changes if not reasons else ():
        # Without an application on both sides there is nothing that an appup could lead between.
        if change.before is None or change.after is None:
            continue
        try:
            appup = find_appup(appups, new, after.applications[change.name], change.before)
        except UpgradeError as error:
            way_out = error.hint or "Write it for both ways."
            reasons.append(
                Reason(Verdict.RESTART, "appup", error.message, way_out, application=change.name)
            )
            continue
        if appup is None:
            reasons.append(_no_appup(new, change, appups))
        elif appup.restarts:
            says = f"{appup.place}: it restarts the runtime system"
            reasons.append(Reason(Verdict.REPLACE, "appup", says, REPLACE, change.name))
        else:
            found[change.name] = appup
            reasons += _left_out(before, after, change, appup)
    return Plan(new.name, old.version, new.version, changes, found, tuple(reasons))


def _refusal(what: str, against: Sequence[Reason]) -> UpgradeError:
    ways = list(dict.fromkeys(item.way_out for item in against))
    if len(against) == 1:
        return UpgradeError(f"{what}: {against[0].says}", hint=ways[0])
    lines = "".join(f"\n  - {item.says}" for item in against)
    return UpgradeError(f"{what}:{lines}", hint=" ".join(ways))


def _changes(before: Running, after: Running) -> Iterator[Change]:
    for name, new in after.applications.items():
        old = before.applications.get(name)
        if old is None or old.version != new.version:
            yield Change(name, old.version if old else None, new.version)
    for name, old in before.applications.items():
        if name not in after.applications:
            yield Change(name, old.version, None)


def _no_appup(after: Release, change: Change, folder: Path | None) -> Reason:
    place = f"{folder or 'appups'}/{after.version}/{change.name}.appup"
    return Reason(
        Verdict.RESTART,
        "appup",
        f"{change.name} {change.before} → {change.after}: there is no appup",
        f"Write {place} (`pet: {{appups: DIR}}` in the recipe).",
        application=change.name,
    )


def _left_out(before: Running, after: Running, change: Change, appup: Appup) -> Iterator[Reason]:
    """Changed modules that the appup does not name would stay as they are, without a word."""
    changed = set(differing(before.code(change.name).modules, after.code(change.name).modules))
    known = before.code(change.name).modules.keys() | after.code(change.name).modules.keys()
    for down in (False, True):
        told = appup.modules(change.name, down=down)
        if unknown := (told or frozenset()) - known:
            says = (
                f"{appup.place}: {change.name} has no {modules_listed(unknown)}, neither before "
                "nor after"
            )
            yield Reason(Verdict.RESTART, "appup", says, UNKNOWN, change.name)
        if told is not None and (missing := changed - told):
            way = "down" if down else "up"
            says = (
                f"{appup.place}: on the way {way} it leaves out {modules_listed(missing)}, which "
                "changed"
            )
            yield Reason(Verdict.RESTART, "appup", says, LEFT_OUT, change.name)
