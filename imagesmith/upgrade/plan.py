"""Whether there is a hot way from one release to another, and all that stands against it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagesmith.beam.origin import ELIXIR
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.appup import Appup, find_appup, named
from imagesmith.upgrade.code import Code, Running
from imagesmith.upgrade.facts import Change

__all__ = ["Plan", "make_plan"]

FIXED = frozenset({"kernel", "stdlib", "sasl", "compiler", *ELIXIR})
"""Applications that every process stands on: another version of them is another container."""

REPLACE = "Replace the container: deploy NEW's own image."
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What changes: applications in the order of NEW's `.rel`, removed ones last."""

    changes: tuple[Change, ...]
    appups: Mapping[str, Appup]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why not, and what to do about it."""

    reason: str
    way_out: str


def make_plan(before: Running, after: Running, appups: Path | None) -> Plan:
    """The way from one release to the next; `appups` is the recipe's folder of them.

    Raises UpgradeError that names every obstacle, ReleaseError for a release that is broken.
    """
    old, new = before.release, after.release
    obstacles = list(_releases(before, after))
    if not obstacles:
        obstacles += _applications(before, after)
    changes = tuple(_changes(before, after))
    found: dict[str, Appup] = {}
    if not obstacles:
        for change in changes:
            try:
                appup = _appup(after, change, appups)
            except UpgradeError as error:
                obstacles.append(Obstacle(error.message, error.hint or "Write it for both ways."))
                continue
            if isinstance(appup, Obstacle):
                obstacles.append(appup)
            elif appup:
                found[change.name] = appup
                obstacles += _left_out(before, after, change, appup)
    if obstacles:
        raise _refusal(f"{new.name}: no hot upgrade from {old.version} to {new.version}", obstacles)
    return Plan(changes, found)


def _refusal(what: str, obstacles: list[Obstacle]) -> UpgradeError:
    ways = list(dict.fromkeys(item.way_out for item in obstacles))
    if len(obstacles) == 1:
        return UpgradeError(f"{what}: {obstacles[0].reason}", hint=ways[0])
    lines = "".join(f"\n  - {item.reason}" for item in obstacles)
    return UpgradeError(f"{what}:{lines}", hint=" ".join(ways))


def _releases(before: Running, after: Running) -> Iterator[Obstacle]:
    old, new = before.release, after.release
    if old.name != new.name:
        yield Obstacle(
            f"OLD is the release {old.name}, NEW is {new.name}", "Name the OLD of this release."
        )
        return
    if old.version == new.version:
        yield Obstacle(
            f"both are of version {new.version}",
            "Give NEW a version of its own: a node tells releases apart by it.",
        )
    if old.tool is not new.tool:
        yield Obstacle(f"OLD was made by {old.tool}, NEW by {new.tool}", REPLACE)
    if old.erts_version != new.erts_version:
        yield Obstacle(
            f"the runtime system changes (ERTS {old.erts_version} → {new.erts_version})", REPLACE
        )
    for release, name in ((old, "OLD"), (new, "NEW")):
        if not any(item.name == "sasl" for item in release.applications):
            yield Obstacle(
                f"{name} has no sasl, whose release handler makes upgrades",
                "Add sasl to the release: `extra_applications: [:sasl]` in mix.exs, or to "
                "`relx` in rebar.config.",
            )


def _applications(before: Running, after: Running) -> Iterator[Obstacle]:
    for name, new in after.applications.items():
        old = before.applications.get(name)
        if old is None:
            if native := after.code(name).native:
                yield Obstacle(
                    f"{name} {new.version} is new and brings native code ({_listed(native)}), "
                    "which the running image does not have",
                    REPLACE,
                )
            continue
        if old.version != new.version and name in FIXED:
            yield Obstacle(f"{name} changes ({old.version} → {new.version})", REPLACE)
            continue
        ours, theirs = before.code(name), after.code(name)
        if ours.native != theirs.native:
            changed = _differing(ours.native, theirs.native)
            yield Obstacle(f"{name}: native code changes ({_listed(changed)})", REPLACE)
        if old.version == new.version:
            yield from _unversioned(name, old.version, ours, theirs)


def _unversioned(name: str, version: str, old: Code, new: Code) -> Iterator[Obstacle]:
    """Code that changed under one version: a node would hold both for the same."""
    modules = _differing(old.modules, new.modules)
    files = _differing(old.others, new.others)
    if not modules and not files:
        return
    what = f"modules changed ({_modules(modules)})" if modules else f"files: {_listed(files)}"
    yield Obstacle(
        f"{name} is {version} in both, and yet its {what}",
        "Give every changed application a new version in its mix.exs or .app.src.",
    )


def _changes(before: Running, after: Running) -> Iterator[Change]:
    for name, new in after.applications.items():
        old = before.applications.get(name)
        if old is None or old.version != new.version:
            yield Change(name, old.version if old else None, new.version)
    for name, old in before.applications.items():
        if name not in after.applications:
            yield Change(name, old.version, None)


def _appup(after: Running, change: Change, folder: Path | None) -> Appup | Obstacle | None:
    """An added or removed application needs none: systools adds and removes it as a whole."""
    if change.before is None or change.after is None:
        return None
    application = after.applications[change.name]
    found = find_appup(folder, after.release, application, change.before)
    versions = f"{change.name} {change.before} → {change.after}"
    if found is None:
        return Obstacle(
            f"{versions}: there is no appup",
            f"Write {{appups}}/{after.release.version}/{change.name}.appup (`pet: {{appups: DIR}}` "
            "in the recipe).".replace("{appups}", str(folder or "appups")),
        )
    if found.restarts:
        return Obstacle(f"{found.place}: it restarts the runtime system", REPLACE)
    return found


def _left_out(before: Running, after: Running, change: Change, appup: Appup) -> Iterator[Obstacle]:
    """Changed modules that the appup does not name would stay as they are, without a word."""
    changed = set(_differing(before.code(change.name).modules, after.code(change.name).modules))
    known = before.code(change.name).modules.keys() | after.code(change.name).modules.keys()
    for down in (False, True):
        told = appup.modules(change.name, down=down)
        if unknown := (told or frozenset()) - known:
            yield Obstacle(
                f"{appup.place}: {change.name} has no {_modules(unknown)}, neither before nor "
                "after",
                "Take it out of the appup, or write its name right.",
            )
        if told is not None and (missing := changed - told):
            way = "down" if down else "up"
            yield Obstacle(
                f"{appup.place}: on the way {way} it leaves out {_modules(missing)}, which changed",
                "Name each changed module: load_module or update, add_module, delete_module.",
            )


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _modules(names: Collection[str]) -> str:
    shown = sorted(names)[:SHOWN]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return named(shown) + more


def _listed(names: Mapping[str, str] | list[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
