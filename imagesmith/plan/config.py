"""Configuration that changes, and what of it a running node will not notice.

An upgrade gives every application its new environment (OTP: application_controller:config_change/1)
after NEW's config providers have run with NEW's code. What is read only while something starts has
no effect until then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imagesmith.beam import etf
from imagesmith.beam.release import Release
from imagesmith.beam.term import Atom, Term
from imagesmith.errors import TermError
from imagesmith.plan.code import Running
from imagesmith.plan.environment import (
    KeyChange,
    differing_keys,
    fields,
    read_config,
    read_environment,
    same,
)
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.words import listed

__all__ = ["config_keys", "config_providers"]

PROVIDER = ("elixir", "config_provider_init")
"""Where mix writes the config providers of a release (Elixir: Mix.Release, Config.Provider)."""

KEEP_PROVIDERS = (
    "Keep the providers and what they are given, and read what is new in config/runtime.exs; or "
    "restart the node with NEW."
)
PROVIDED = (
    "Set in the running container what it newly reads from the environment, before the upgrade."
)


def config_keys(before: Running, after: Running) -> tuple[KeyChange, ...]:
    """The keys of `.app` files and of sys.config that differ, config providers aside.

    Of an application that comes or goes there is nothing to compare. Raises ReleaseError for a
    file that is broken.
    """
    both = before.applications.keys() & after.applications.keys()
    old, new = read_environment(before.release), read_environment(after.release)
    return tuple(
        change
        for change in differing_keys(old, new)
        if (change.application, *change.path)[:2] != PROVIDER and change.application in both
    )


def config_providers(before: Running, after: Running) -> Iterator[Reason]:
    """Providers that come, go or are told something else; a runtime.exs that changes is no reason
    against a hot upgrade. Raises ReleaseError for a sys.config that is broken."""
    old, new = _providers(before.release), _providers(after.release)
    if says := _difference(old, new):
        yield Reason(Verdict.RESTART, "config-provider", says, KEEP_PROVIDERS)
        return
    if said := _runtime_changes(before.release, after.release):
        yield Reason(Verdict.HOT, "config-provider", said, PROVIDED, subject="runtime.exs")


def _difference(old: Sequence[tuple[str, Term]], new: Sequence[tuple[str, Term]]) -> str | None:
    names, others = [name for name, _ in old], [name for name, _ in new]
    added = listed(name for name in others if name not in names)
    removed = listed(name for name in names if name not in others)
    if added or removed:
        words = [f"{added} is added"] * bool(added) + [f"{removed} is removed"] * bool(removed)
        return f"the release's config providers change: {', '.join(words)}"
    if names != others:
        return "the release's config providers run in another order"
    changed = [
        name for (name, one), (_, other) in zip(old, new, strict=True) if not same(one, other)
    ]
    if changed:
        return f"the config provider {listed(set(changed))} is given something else"
    return None


def _providers(release: Release) -> list[tuple[str, Term]]:
    """The config providers and what each is given, in their order.

    mix has them in sys.config, as the struct Config.Provider; Distillery has the boot script call
    its own with a list of them.
    """
    settings = read_config(release).get(PROVIDER[0], {}).get(PROVIDER[1])
    found = dict(fields(settings))
    listed_there = found.get("providers")
    providers: list[tuple[str, Term]] = []
    for item in listed_there if isinstance(listed_there, list) else ():
        match item:
            case (Atom() as name, given):
                providers.append((_name(name), _any_version(given, release.version)))
    if extra := found.get("extra_config"):
        providers.append(("extra_config", extra))
    for path in release.paths:
        if path.startswith(f"{release.folder}/") and path.endswith(".boot"):
            providers += _booted(release, path)
    return providers


def _booted(release: Release, path: str) -> Iterator[tuple[str, Term]]:
    """What the boot script applies of modules that are named as config providers."""
    if path.rpartition("/")[2] not in ("start.boot", f"{release.name}.boot"):
        return
    try:
        script = etf.decode(release.tree.read(path))
    except TermError:  # the node would say more of it
        return
    match script:
        case (_, _, list(instructions)):
            for instruction in instructions:
                match instruction:
                    case (word, (Atom() as module, _, [_, *_] as arguments)) if word == Atom(
                        "apply"
                    ) and str(module).endswith("Config.Provider"):
                        yield _name(module), _any_version(arguments, release.version)


def _name(module: Atom) -> str:
    return str(module).removeprefix("Elixir.")


def _any_version(term: Term, version: str) -> Term:
    """The term with the release's own folder in it named for any version."""
    match term:
        case Atom():
            return term
        case bytes():
            return term.replace(f"/releases/{version}/".encode(), b"/releases/VSN/")
        case str():
            return term.replace(f"/releases/{version}/", "/releases/VSN/")
        case tuple():
            return tuple(_any_version(item, version) for item in term)
        case list():
            return [_any_version(item, version) for item in term]
    return term


def _runtime_changes(old: Release, new: Release) -> str | None:
    """What to say of a runtime.exs that differs."""
    scripts = []
    for release in (old, new):
        path = f"{release.folder}/runtime.exs"
        if path not in release.paths:
            return None
        scripts.append(release.tree.read(path))
    if scripts[0] == scripts[1]:
        return None
    before, after = (set(_READ.findall(script)) for script in scripts)
    names = listed(name.decode() for name in after - before)
    reads = f"; it newly reads {names} from the environment" if names else ""
    return f"runtime.exs changes, and NEW's is evaluated with NEW's code during the upgrade{reads}"


_READ = re.compile(rb'\b(?:get_env|fetch_env!?|getenv)\(\s*"(\w+)"')
