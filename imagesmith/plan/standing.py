"""What stands against a hot upgrade before any module is looked into."""

from __future__ import annotations

from collections.abc import Iterator

from imagesmith.beam.origin import ELIXIR
from imagesmith.plan.code import Code, Running
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.words import differing, listed, modules_listed

__all__ = ["FIXED", "REPLACE", "application_set", "compare_applications", "compare_releases"]

FIXED = frozenset({"kernel", "stdlib", "sasl", "compiler", *ELIXIR})
"""Applications that every process stands on: another version of them is another container."""

REPLACE = "Replace the container: deploy NEW's own image."
OTHER_RELEASE = "Name the OLD of this release."
SAME_VERSION = "Give NEW a version of its own: a node tells releases apart by it."
NO_SASL = (
    "Add sasl to the release: `extra_applications: [:sasl]` in mix.exs, or to `relx` in "
    "rebar.config."
)
STARTED = "Nothing is to be done: systools adds it by itself (add_application)."
STOPPED = "Nothing is to be done, unless somebody needs what its processes hold: that is gone."
UNVERSIONED = "Give every changed application a new version in its mix.exs or .app.src."


def compare_releases(before: Running, after: Running) -> Iterator[Reason]:
    """Name, version, tool, runtime system."""
    old, new = before.release, after.release
    if old.name != new.name:
        yield _replace(
            "release", f"OLD is the release {old.name}, NEW is {new.name}", OTHER_RELEASE
        )
        return
    if old.version == new.version:
        yield _replace("version", f"both are of version {new.version}", SAME_VERSION)
    if old.tool is not new.tool:
        yield _replace("tool", f"OLD was made by {old.tool}, NEW by {new.tool}")
    if old.erts_version != new.erts_version:
        says = f"the runtime system changes (ERTS {old.erts_version} → {new.erts_version})"
        yield _replace("erts", says)
    for release, name in ((old, "OLD"), (new, "NEW")):
        if not any(item.name == "sasl" for item in release.applications):
            says = f"{name} has no sasl, whose release handler makes upgrades"
            yield _replace("sasl", says, NO_SASL)


def compare_applications(before: Running, after: Running) -> Iterator[Reason]:
    """What no running node can take: another foundation, other native code, code without a
    version. Raises ReleaseError for a module that cannot be read."""
    for name, new in after.applications.items():
        old = before.applications.get(name)
        if old is None:
            if native := after.code(name).native:
                says = (
                    f"{name} {new.version} is new and brings native code ({listed(native)}), "
                    "which the running image does not have"
                )
                yield _replace("native-code", says, application=name)
            continue
        if old.version != new.version and name in FIXED:
            says = f"{name} changes ({old.version} → {new.version})"
            yield _replace("foundation", says, application=name)
            continue
        ours, theirs = before.code(name), after.code(name)
        if ours.native != theirs.native:
            changed = listed(differing(ours.native, theirs.native))
            says = f"{name}: native code changes ({changed})"
            yield _replace("native-code", says, application=name)
        if old.version == new.version:
            yield from _unversioned(name, old.version, ours, theirs)


def application_set(before: Running, after: Running) -> Iterator[Reason]:
    """Remarks on applications that come or go: systools starts and stops them (OTP: relup(4))."""
    for name, new in after.applications.items():
        if name not in before.applications:
            says = f"{name} {new.version} is new: the upgrade starts it, a rollback stops it"
            yield Reason(Verdict.HOT, "application-added", says, STARTED, name)
    for name, old in before.applications.items():
        if name not in after.applications:
            says = f"{name} {old.version} is gone: the upgrade stops it, a rollback starts it anew"
            yield Reason(Verdict.HOT, "application-removed", says, STOPPED, name)


def _unversioned(name: str, version: str, old: Code, new: Code) -> Iterator[Reason]:
    """Code that changed under one version: a node would hold both for the same."""
    modules = differing(old.modules, new.modules)
    files = differing(old.others, new.others)
    if not modules and not files:
        return
    what = f"modules changed ({modules_listed(modules)})" if modules else f"files: {listed(files)}"
    says = f"{name} is {version} in both, and yet its {what}"
    yield _replace("unversioned", says, UNVERSIONED, application=name)


def _replace(
    kind: str, says: str, way_out: str = REPLACE, *, application: str | None = None
) -> Reason:
    return Reason(Verdict.REPLACE, kind, says, way_out, application)
