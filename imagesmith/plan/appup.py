"""Appups (OTP: appup(4)): which one leads an application from its old version to its new one.

A person's own lie in the recipe's folder, as `APP.appup`, or as `VERSION/APP.appup` where they are
kept for many versions; an application can also bring one in its `ebin`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from imagesmith.beam.release import Application, Release
from imagesmith.beam.term import Atom, Term, text
from imagesmith.beam.terms import consult
from imagesmith.beam.tree import File
from imagesmith.errors import TermError, UpgradeError, UsageError

__all__ = ["Appup", "OtherVersions", "find_appup", "named"]

WHOLE = ("restart_application", "add_application", "remove_application")
RESTARTS = ("restart_new_emulator", "restart_emulator")
ON_MODULES = ("update", "load_module", "add_module", "delete_module", "load", "remove")


@dataclass(frozen=True, slots=True)
class Appup:
    """An appup, and what it has for one pair of versions: high-level instructions up and down."""

    place: str
    data: bytes
    up: list[Term]
    down: list[Term]

    def modules(self, application: str, *, down: bool = False) -> frozenset[str] | None:
        """The modules that it names in one direction; None if it restarts the application."""
        found: set[str] = set()
        for instruction in self.down if down else self.up:
            match instruction:
                case (Atom() as word, Atom() as name, *_) if str(word) in WHOLE:
                    if str(name) == application:
                        return None
                case (Atom() as word, Atom() as module, *_) if str(word) in ON_MODULES:
                    found.add(str(module))
                case (Atom() as word, (Atom() as module, *_)) if str(word) in ON_MODULES:
                    found.add(str(module))
        return frozenset(found)

    @property
    def restarts(self) -> bool:
        """Whether it ends the runtime system: that is no hot upgrade."""
        return any(
            isinstance(item, Atom) and str(item) in RESTARTS for item in (*self.up, *self.down)
        )


class OtherVersions(UpgradeError):
    """An appup that is whole, and leads between other versions."""


def find_appup(
    folder: Path | None, after: Release, application: Application, before: str
) -> Appup | None:
    """The appup that leads to `application` from its version `before`, and back.

    Raises OtherVersions if there are only such as lead elsewhere, UpgradeError for one that is
    broken or leads only one way, UsageError for a file that cannot be read.
    """
    problem = None
    for place, data in _candidates(folder, after, application):
        try:
            return _read(place, data, application, before)
        except OtherVersions as error:
            problem = problem or error
    if problem:
        raise problem
    return None


def _candidates(
    folder: Path | None, after: Release, application: Application
) -> Iterator[tuple[str, bytes]]:
    """The release's version first, then the application's own, then one for any."""
    name = f"{application.name}.appup"
    if folder is not None:
        for version in dict.fromkeys((f"{after.version}/", f"{application.version}/", "")):
            path = folder / f"{version}{name}"
            if path.is_file():
                try:
                    yield str(path), path.read_bytes()
                except OSError as error:
                    raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    own = f"{application.folder}/ebin/{name}"
    if isinstance(after.tree.entries.get(own), File):
        yield f"{after.tree.name}: {own}", after.tree.read(own)


def _read(place: str, data: bytes, application: Application, before: str) -> Appup:
    try:
        terms = consult(data)
    except TermError as error:
        raise UpgradeError(f"{place}:{error.message}") from None
    match terms:
        # systools goes by the first; some keep those of earlier versions below it (ranch does).
        case [(version, list(up), list(down)), *_]:
            found = _text(version, place)
        case _:
            raise UpgradeError(f"{place}: it should hold {{Version, [{{Old, …}}], [{{Old, …}}]}}.")
    if found != application.version:
        raise OtherVersions(
            f"{place}: it leads to {application.name} {found}, and NEW has {application.version}",
            hint="Write an appup for NEW's version; `VERSION/APP.appup` keeps the old one too.",
        )
    ways = [_way(entries, before, place) for entries in (up, down)]
    if ways.count(None) == 1:
        there = "from" if ways[0] is None else "back to"
        raise UpgradeError(
            f"{place}: it has no way {there} {application.name} {before}",
            hint="Write the way that the appup lacks, or take the other one out of it too.",
        )
    if None in ways:
        raise OtherVersions(
            f"{place}: it has no way from {application.name} {before}",
            hint="Write the ways that an appup lacks, or go by the versions between: build and "
            "apply one upgrade after the other.",
        )
    return Appup(place, data, ways[0] or [], ways[1] or [])


def _way(entries: list[Term], version: str, place: str) -> list[Term] | None:
    """The instructions for a version; it may be a regular expression, as a binary."""
    for entry in entries:
        match entry:
            case (bytes(pattern), list(instructions)):
                try:
                    if re.fullmatch(pattern.decode(), version):
                        return instructions
                except (re.error, UnicodeDecodeError):
                    raise UpgradeError(f"{place}: {pattern!r} is no regular expression") from None
            case (given, list(instructions)):
                if _text(given, place) == version:
                    return instructions
            case (given, _):
                raise UpgradeError(f"{place}: the way from {given!r} is no list of instructions")
    return None


def _text(term: Term, place: str) -> str:
    try:
        return text(term)
    except TermError as error:
        raise UpgradeError(f"{place}: a version: {error.message}") from None


def named(modules: Collection[str]) -> str:
    """Modules as people write them."""
    return ", ".join(sorted(module.removeprefix("Elixir.") for module in modules))
