"""What a release's applications find in their environment, as far as its files say.

An application's `.app` file brings defaults, `sys.config` lies over them key by key (OTP: app(4),
config(4)). What config providers add at the start is in no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.beam import etf
from imagesmith.beam.release import REBUILD, Application, Release
from imagesmith.beam.term import Atom, Map, Term
from imagesmith.beam.terms import consult
from imagesmith.errors import ReleaseError, TermError

__all__ = [
    "Environment",
    "KeyChange",
    "differing_keys",
    "fields",
    "read_config",
    "read_environment",
    "read_resource",
    "same",
]

Environment = Mapping[str, Mapping[str, Term]]
"""By application, then by key."""


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key of an application's environment that differs; values are never told: some are secret.

    `path` leads into keyword lists and maps as long as both sides have one. `how` is `added`,
    `changed` or `removed`.
    """

    application: str
    path: tuple[str, ...]
    how: str

    def __str__(self) -> str:
        return "/".join(name.removeprefix("Elixir.") for name in (self.application, *self.path))


def read_environment(release: Release) -> Environment:
    """What `.app` files and `sys.config` say. Raises ReleaseError for a file that is broken."""
    found: dict[str, dict[str, Term]] = {}
    for application in release.applications:
        env = read_resource(release, application).get("env")
        found[application.name] = dict(fields(env))
    for name, settings in read_config(release).items():
        if name in found:
            found[name].update(settings)
    return found


def read_resource(release: Release, application: Application) -> Mapping[str, Term]:
    """The keys of an application's `.app` file (OTP: app(4)). Raises as `read_environment`."""
    match _one(release, application.resource_file):
        case (Atom(), Atom(), pairs):
            return dict(fields(pairs))
    return {}


def read_config(release: Release) -> Environment:
    """What its `sys.config` says; nothing if it has none. Raises as `read_environment`.

    relx fills in the variables of a `.src` at every start, and leaves the result beside it.
    """
    paths = (f"{release.folder}/sys.config.src", f"{release.folder}/sys.config")
    found: dict[str, dict[str, Term]] = {}
    for path in (path for path in paths if path in release.paths):
        for name, pairs in fields(_one(release, path)):
            found.setdefault(name, {}).update(fields(pairs))
        break
    return found


def differing_keys(old: Environment, new: Environment) -> Iterator[KeyChange]:
    """The keys that differ, by application and path."""
    for application in sorted(old.keys() | new.keys()):
        before, after = old.get(application, {}), new.get(application, {})
        for path, how in _differing(before, after):
            yield KeyChange(application, path, how)


def fields(term: Term | None) -> Iterator[tuple[str, Term]]:
    """The pairs of a keyword list or a map whose keys are atoms."""
    pairs: Sequence[Term] = ()
    if isinstance(term, Map):
        pairs = term.pairs
    elif isinstance(term, list):
        pairs = term
    for pair in pairs:
        match pair:
            case (Atom() as key, value):
                yield str(key), value


def same(one: Term, other: Term) -> bool:
    """Whether they are one term to Erlang: a string and its list of characters are."""
    return etf.encode(one) == etf.encode(other)


def _differing(
    old: Mapping[str, Term], new: Mapping[str, Term]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            yield (key,), "added"
        elif key not in new:
            yield (key,), "removed"
        elif not same(old[key], new[key]):
            before, after = _keyword(old[key]), _keyword(new[key])
            below = list(_differing(before, after)) if before and after else []
            for path, how in below:
                yield (key, *path), how
            if not below:  # no keyword lists, or only the order of one
                yield (key,), "changed"


def _keyword(term: Term) -> Mapping[str, Term] | None:
    """A keyword list or map in which every key is an atom and stands once."""
    found = dict(fields(term))
    size = len(term.pairs) if isinstance(term, Map) else len(term) if isinstance(term, list) else 0
    return found if size and len(found) == size else None


def _one(release: Release, path: str) -> Term:
    data = release.tree.read(path)
    try:
        terms = consult(_VARIABLES.sub(_quoted, data) if path.endswith(".src") else data)
    except TermError as error:
        raise ReleaseError(f"{release.tree.name}: {path}:{error.message}", hint=REBUILD) from None
    if len(terms) != 1:
        raise ReleaseError(f"{release.tree.name}: {path} should hold one term", hint=REBUILD)
    return terms[0]


_VARIABLES = re.compile(rb'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|%[^\n]*|\$\{\w+(?::-[^}]*)?\}')
"""Texts and comments, which may hold anything, and variables that stand for a term."""


def _quoted(found: re.Match[bytes]) -> bytes:
    """A variable as an atom of its name; the rest as it is."""
    return b"'%b'" % found[0].replace(b"'", b"") if found[0].startswith(b"$") else found[0]
