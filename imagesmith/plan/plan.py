"""What leads from one release to the next: what changes, by which appups, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagesmith.errors import UpgradeError
from imagesmith.plan.appup import Appup, OtherVersions, find_appup
from imagesmith.plan.by_hand import by_appup
from imagesmith.plan.change import Change
from imagesmith.plan.code import Running
from imagesmith.plan.config import config_keys, config_providers
from imagesmith.plan.environment import KeyChange
from imagesmith.plan.flags import vm_flags
from imagesmith.plan.generate import GENERATED, generate
from imagesmith.plan.modules import ModuleChange, module_changes, protocol_changes
from imagesmith.plan.moved import moved_modules, moves
from imagesmith.plan.nodes import crosses_nodes
from imagesmith.plan.phoenix import phoenix_endpoints, phoenix_live_views
from imagesmith.plan.reads import config_at_start
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.shapes import shapes
from imagesmith.plan.standing import (
    REPLACE,
    application_set,
    compare_applications,
    compare_releases,
)
from imagesmith.plan.supervision import children_reasons, start_reasons
from imagesmith.plan.words import differing, modules_listed

__all__ = ["Plan", "make_plan"]

Rule = Callable[[Running, Running], Iterator[Reason]]
RULES: tuple[Rule, ...] = (
    application_set,
    moved_modules,
    shapes,
    children_reasons,
    start_reasons,
    config_providers,
    config_at_start,
    vm_flags,
    phoenix_endpoints,
    phoenix_live_views,
    crosses_nodes,
)
"""What is looked for where another container is not needed anyway."""

OF_ANOTHER = frozenset({"release", "tool"})
"""Between releases that are not of one line, applications say nothing."""

OF_COMPILERS = frozenset({"erts", "foundation"})
"""Another compiler makes other code of the same source and version."""

UNKNOWN = "Take it out of the appup, or write its name right."
LEFT_OUT = "Name each changed module: load_module or update, add_module, delete_module."


@dataclass(frozen=True, slots=True)
class Plan:
    """From `before` to `after`, two versions of the release `name`.

    `changes` are the applications that change, in the order of NEW's `.rel`, removed ones last;
    `appups` has those of them that need one and have it. `modules`, `protocols` and `keys` are all
    that differ, whatever the verdict.
    """

    name: str
    before: str
    after: str
    changes: tuple[Change, ...]
    appups: Mapping[str, Appup]
    reasons: tuple[Reason, ...]
    modules: tuple[ModuleChange, ...] = ()
    protocols: tuple[ModuleChange, ...] = ()
    keys: tuple[KeyChange, ...] = ()
    is_same: bool = False
    """Whether both run the same: there is nothing to do, and no reason counts."""

    @property
    def told(self) -> tuple[Reason, ...]:
        """The reasons that count, what forces the verdict first; remarks last."""
        counting = () if self.is_same else self.reasons
        return tuple(sorted(counting, key=lambda item: -item.verdict.hardness))

    @property
    def verdict(self) -> Verdict:
        """The hardest that a reason forces."""
        return self.told[0].verdict if self.told else Verdict.HOT

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
    reasons = _standing(before, after)
    changes = tuple(_changes(before, after))
    found: dict[str, Appup] = {}
    # Another container needs no appups: what they lack would only hide why.
    if all(item.verdict is not Verdict.REPLACE for item in reasons):
        for change in changes:
            # Of one that only one side has there is nothing that an appup could lead between.
            if change.before is not None and change.after is not None:
                way, against = _way(before, after, change, appups)
                reasons += against
                if way is not None:
                    found[change.name] = way
                    reasons += _left_out(before, after, change, way)
        for rule in RULES:
            for item in rule(before, after):
                reasons.append(by_appup(item, found.get(item.application or "")))
    return Plan(
        new.name,
        old.version,
        new.version,
        changes,
        found,
        tuple(reasons),
        tuple(module_changes(before, after)),
        tuple(protocol_changes(before, after)),
        config_keys(before, after),
        _is_same(before, after),
    )


def _standing(before: Running, after: Running) -> list[Reason]:
    """What stands against a hot upgrade before any module is looked into."""
    reasons = list(compare_releases(before, after))
    if OF_ANOTHER.isdisjoint(item.kind for item in reasons):
        reasons += compare_applications(before, after)
    if OF_COMPILERS.isdisjoint(item.kind for item in reasons):
        return reasons
    return [item for item in reasons if item.kind != "unversioned"]


def _way(
    before: Running, after: Running, change: Change, appups: Path | None
) -> tuple[Appup | None, list[Reason]]:
    """The appup that leads an application both ways: a person's own, else a generated one."""
    name = change.name
    try:
        appup = find_appup(appups, after.release, after.applications[name], change.before or "")
    except OtherVersions as error:
        says = f"{error.message}: its instructions are generated"
        remark = Reason(Verdict.HOT, "appup", says, error.hint or "", name)
        return generate(before, after, change), [remark]
    except UpgradeError as error:
        way_out = error.hint or "Write it for both ways."
        return None, [Reason(Verdict.RESTART, "appup", error.message, way_out, name)]
    if appup is None:
        return generate(before, after, change), []
    if appup.restarts:
        says = f"{appup.place}: it restarts the runtime system"
        return None, [Reason(Verdict.REPLACE, "appup", says, REPLACE, name)]
    return appup, []


def _is_same(before: Running, after: Running) -> bool:
    """Whether a node that runs OLD runs NEW: the same code, files and configuration."""
    old, new = before.release, after.release
    if (old.name, old.version, old.erts_version) != (new.name, new.version, new.erts_version):
        return False
    versions = [
        {name: item.version for name, item in side.applications.items()} for side in (before, after)
    ]
    return (
        versions[0] == versions[1]
        and all(before.code(name) == after.code(name) for name in after.applications)
        and before.protocols == after.protocols
        and not config_keys(before, after)
        and not any(True for rule in RULES for _ in rule(before, after))
    )


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


def _left_out(before: Running, after: Running, change: Change, appup: Appup) -> Iterator[Reason]:
    """Changed modules that the appup does not name would stay as they are, without a word."""
    if appup.place == GENERATED:
        return
    changed = set(differing(before.code(change.name).modules, after.code(change.name).modules))
    changed -= {move.module for move in moves(before, after) if move.source == change.name}
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
