"""What a `rebar.config` says of its releases (rebar3's documentation, "Releases"; relx)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from imagesmith.beam.term import Atom, Term, text
from imagesmith.beam.terms import consult
from imagesmith.errors import TermError, UsageError

__all__ = ["RebarProject", "read_rebar_project"]

# A release's name is a folder's and a script's; an atom may be anything.
_RELEASE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")


@dataclass(frozen=True, slots=True)
class RebarProject:
    """A project's facts; `profile` is the one that its releases are to be built with."""

    releases: tuple[str, ...]
    base: str
    profile: str
    linked: bool  # dev_mode: links to the build's folders in place of copies
    dependencies: frozenset[str]


def read_rebar_project(data: bytes, name: str, relx: bytes | None = None) -> RebarProject:
    """Read a rebar.config, and the relx.config that older projects have. Raises UsageError."""
    terms = _consult(data, name)
    settings = _lists(terms)
    profiles = _lists(settings.get("profiles", []))
    prod = _lists(profiles.get("prod", []))
    base_relx = settings.get("relx", [])
    if not base_relx and relx is not None:
        base_relx = _consult(relx, "relx.config")
    prod_relx = prod.get("relx", [])
    names = dict.fromkeys([*_releases(base_relx), *_releases(prod_relx)])
    for release in names:
        if not _RELEASE_NAME.fullmatch(release):
            raise UsageError(
                f"{name}: the release {release[:60]!r}: no folder can be called that in an image",
                hint="Use letters, digits, `_` and `-`.",
            )
    linked = _linked(base_relx)
    if prod_relx and _linked(prod_relx) is not None:
        linked = _linked(prod_relx)
    return RebarProject(
        tuple(names),
        _base(terms),
        "prod" if prod_relx else "default",
        bool(linked),
        frozenset(_names(settings.get("deps", []))) | frozenset(_names(prod.get("deps", []))),
    )


def _consult(data: bytes, name: str) -> list[Term]:
    if b"\0" in data:
        raise UsageError(f"{name}: this is no text, but Erlang terms are")
    try:
        return consult(data)
    except TermError as error:
        raise UsageError(
            f"{name}:{error.message}",
            hint="Correct it (`rebar3 compile` says more), or name a release that is built: "
            "imagesmith init _build/default/rel/NAME",
        ) from None


def _lists(terms: list[Term]) -> dict[str, list[Term]]:
    """`{Key, List}` by key; a key that stands again is ignored, as proplists:get_value does."""
    found: dict[str, list[Term]] = {}
    for term in terms:
        match term:
            case (Atom() as key, list() as value):
                found.setdefault(str(key), value)
    return found


def _releases(relx: list[Term]) -> Iterator[str]:
    for term in relx:
        match term:
            case (Atom() as tag, (Atom() as name, *_), *_) if tag == Atom("release"):
                yield str(name)


def _linked(relx: list[Term]) -> bool | None:
    """What relx's `dev_mode`, or its newer `mode`, says; None if nothing."""
    for term in relx:
        match term:
            case (Atom() as key, Atom() as value) if key == Atom("dev_mode"):
                return value == Atom("true")
            case (Atom() as key, Atom() as value) if key == Atom("mode"):
                return value == Atom("dev")
    return None


def _base(terms: list[Term]) -> str:
    for term in terms:
        match term:
            case (Atom() as key, value) if key == Atom("base_dir"):
                try:
                    return text(value).rstrip("/") or "_build"
                except TermError:
                    return "_build"
    return "_build"


def _names(deps: list[Term]) -> Iterator[str]:
    for term in deps:
        match term:
            case Atom() | (Atom(), *_):
                yield str(term if isinstance(term, Atom) else term[0])
