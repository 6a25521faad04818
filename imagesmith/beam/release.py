"""A release, as its tool leaves it: which applications it runs, and where they lie.

    bin/  erts-VSN/  lib/APP-VSN/{ebin,priv}/  releases/{COOKIE,start_erl.data,VSN/}

`releases/start_erl.data` names the current version, `releases/VSN/NAME.rel` lists its
applications (OTP: `rel(4)`). Nothing else in `lib/` belongs to it: `mix release --overwrite`
leaves the applications of older versions lying about.

A release without `erts-VSN/` (`include_erts: false`) runs on an Erlang that its base brings, and
so do OTP's applications where `lib/` lacks them: mix leaves them out then, relx does not. Its
boot script names them with their versions, as $ROOT/lib/APP-VSN, so it takes just these.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from imagesmith.beam.belonging import Belonging, sort_out
from imagesmith.beam.origin import OTP, Origin, Project, Verdict, origins
from imagesmith.beam.term import Atom, Term, text
from imagesmith.beam.terms import consult
from imagesmith.beam.tool import Tool, ToolVerdict, find_tool, left_by_packing
from imagesmith.beam.tree import NAME_THE_FOLDER, File, Link, Tree, check_links, show_path
from imagesmith.errors import ReleaseError, TermError, UsageError

__all__ = ["REBUILD", "Application", "Release", "read_release"]

START_DATA = "releases/start_erl.data"
REBUILD = "Build the release anew: `MIX_ENV=prod mix release --overwrite`, `rebar3 release`."
"""The way out of most that a release can have wrong: a hint for people."""


@dataclass(frozen=True, slots=True)
class Application:
    """An application of a release; `folder` is relative to the release's root."""

    name: str
    version: str
    folder: str
    modules: tuple[str, ...]
    requires: tuple[str, ...]
    verdict: Verdict

    @property
    def origin(self) -> Origin:
        """Who makes it."""
        return self.verdict.origin

    @property
    def resource_file(self) -> str:
        """The path of its `.app` file."""
        return f"{self.folder}/ebin/{self.name}.app"


@dataclass(frozen=True)
class Release:
    """A release in its tree; applications are in the order of its `.rel` file."""

    name: str
    version: str
    erts_version: str
    applications: tuple[Application, ...]
    tree: Tree
    made_by: ToolVerdict
    from_base: tuple[tuple[str, str], ...] = ()
    """OTP's applications, as (name, version), that the release lists and does not hold."""

    @property
    def tool(self) -> Tool:
        """The tool that made it; `made_by.because` is the fact that told."""
        return self.made_by.tool

    @property
    def has_erts(self) -> bool:
        """Whether it brings its own runtime system; otherwise its base has to."""
        return _has_erts(self.tree, self.erts_version)

    @property
    def folder(self) -> str:
        """The folder of this version's boot and configuration files."""
        return f"releases/{self.version}"

    @property
    def erts_folder(self) -> str:
        """The folder of the runtime system."""
        return f"erts-{self.erts_version}"

    @property
    def consolidated(self) -> str:
        """The folder of consolidated protocols, if it has any."""
        if self.tool is Tool.DISTILLERY:
            return f"lib/{self.name}-{self.version}/consolidated"
        return f"{self.folder}/consolidated"

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that belongs to the release."""
        return self._belonging.paths

    @property
    def left_by_runs(self) -> tuple[str, ...]:
        """Paths in its folder that a run of it has left there, which may hold secrets."""
        return self._belonging.left_by_runs

    @cached_property
    def _belonging(self) -> Belonging:
        folders = {app.folder for app in self.applications}
        if self.tool is Tool.DISTILLERY:
            folders.add(self.consolidated.rpartition("/")[0])
        paths = (
            path for path in self.tree.entries if not left_by_packing(self.tool, self.name, path)
        )
        return sort_out(paths, self.version, self.erts_version, folders)


BARE_RELEASES = frozenset({"start_clean.rel", "start_sasl.rel", "no_dot_erlang.rel"})


def read_release(
    tree: Tree, *, own: Collection[str] = (), project: Project | None = None
) -> Release:
    """Read the release in `tree`; `own` and `project` tell whose its applications are.

    Raises UsageError if there is no release, ReleaseError if it is broken or incomplete.
    """
    erts_version, version = _current(tree)
    rel = _rel_file(tree, version)
    name, listed = _read_rel(tree, rel, version)
    made_by = find_tool(tree, name, version)
    from_base: list[tuple[str, str]] = []
    if not _has_erts(tree, erts_version):
        _check_no_other_erts(tree, erts_version)
        from_base = [found for found in listed if _left_to_base(tree, *found)]
    resources = [
        _read_resource(tree, rel, app, vsn) for app, vsn in listed if (app, vsn) not in from_base
    ]
    verdicts = origins({found.name: found.requires for found in resources}, own, project)
    applications = tuple(
        Application(
            found.name,
            found.version,
            found.folder,
            found.modules,
            found.requires,
            verdicts[found.name],
        )
        for found in resources
    )
    release = Release(name, version, erts_version, applications, tree, made_by, tuple(from_base))
    check_links(tree, release.paths)
    return release


def _has_erts(tree: Tree, version: str) -> bool:
    return any(path.startswith(f"erts-{version}/bin/") for path in tree.entries)


def _check_no_other_erts(tree: Tree, version: str) -> None:
    """A runtime system of another version is no release without one, but a broken release."""
    if any(path.startswith("erts-") for path in tree.entries):
        raise ReleaseError(
            f"{tree.name}: there is no runtime system: erts-{version}/bin is missing",
            hint=f"{START_DATA} names it. {REBUILD}",
        )


def _left_to_base(tree: Tree, name: str, version: str) -> bool:
    return name in OTP and f"lib/{name}-{version}/ebin/{name}.app" not in tree.entries


@dataclass(frozen=True, slots=True)
class _Resource:
    """What an application's `.app` file says (OTP: app(4))."""

    name: str
    version: str
    folder: str
    modules: tuple[str, ...]
    requires: tuple[str, ...]


def _current(tree: Tree) -> tuple[str, str]:
    """The versions of ERTS and of the release that `start_erl.data` names."""
    if not isinstance(tree.entries.get(START_DATA), File):
        raise UsageError(
            f"{tree.name}: this is no release: it has no {START_DATA}",
            hint=NAME_THE_FOLDER,
        )
    words = tree.read(START_DATA).decode("utf-8", errors="replace").split()
    if len(words) != 2:
        raise ReleaseError(
            f"{tree.name}: {START_DATA} must hold the versions of ERTS and of the release, "
            f"but holds {' '.join(words)[:80]!r}",
            hint=REBUILD,
        )
    return words[0], words[1]


def _rel_file(tree: Tree, version: str) -> str:
    """The one `.rel` of the version; `start_clean.rel` and the like boot no application."""
    folder = f"releases/{version}"
    found = [
        path
        for path, entry in tree.entries.items()
        if path.endswith(".rel")
        and posixpath.dirname(path) == folder
        and isinstance(entry, File)
        and posixpath.basename(path) not in BARE_RELEASES
    ]
    if len(found) != 1:
        several = ", ".join(show_path(posixpath.basename(path)) for path in found)
        problem = f"has several .rel files: {several}" if found else "has no .rel file"
        raise ReleaseError(f"{tree.name}: {show_path(folder)} {problem}", hint=REBUILD)
    return found[0]


def _read_rel(tree: Tree, path: str, version: str) -> tuple[str, list[tuple[str, str]]]:
    """The release's name, and its applications as `(name, version)` (OTP: rel(4))."""
    shape = "{release, {Name, Vsn}, {erts, Vsn}, [{Application, Vsn}]}"
    match _consult_one(tree, path):
        case (tag, (name, vsn), (_, _), list(applications)) if tag == Atom("release"):
            found = _string(tree, path, vsn)
        case _:
            raise _broken(tree, path, shape)
    if found != version:
        raise ReleaseError(
            f"{tree.name}: {show_path(path)} is of version {show_path(found)}, "
            f"but {START_DATA} names {show_path(version)}",
            hint=REBUILD,
        )
    listed: list[tuple[str, str]] = []
    for application in applications:
        match application:
            case (Atom() as app, vsn, *_):
                listed.append((str(app), _string(tree, path, vsn)))
            case _:
                raise _broken(tree, path, shape)
    if len({app for app, _ in listed}) < len(listed):
        raise _broken(tree, path, "each application once")
    return _string(tree, path, name), listed


def _read_resource(tree: Tree, rel: str, name: str, version: str) -> _Resource:
    folder = f"lib/{name}-{version}"
    path = f"{folder}/ebin/{name}.app"
    if isinstance(tree.entries.get(folder), Link):
        check_links(tree, [folder])
    if not isinstance(tree.entries.get(path), File):
        raise ReleaseError(
            f"{tree.name}: the application {show_path(f'{name} {version}')}, "
            f"which {show_path(rel)} lists, is missing: there is no {show_path(path)}",
            hint=REBUILD,
        )
    match _consult_one(tree, path):
        case (tag, Atom(), list(pairs)) if tag == Atom("application"):
            keys = dict(_pairs(pairs))
        case _:
            raise _broken(tree, path, "{application, Name, [{Key, Value}]}")
    return _Resource(
        name,
        version,
        folder,
        _atoms(keys.get("modules")),
        _atoms(keys.get("applications")) + _atoms(keys.get("included_applications")),
    )


def _consult_one(tree: Tree, path: str) -> Term:
    try:
        terms = consult(tree.read(path))
    except TermError as error:
        raise ReleaseError(
            f"{tree.name}: {show_path(path)}:{error.message}", hint=REBUILD
        ) from None
    if len(terms) != 1:
        raise _broken(tree, path, "one term")
    return terms[0]


def _string(tree: Tree, path: str, term: Term) -> str:
    try:
        return text(term)
    except TermError:
        raise _broken(tree, path, "a string where a name or version stands") from None


def _broken(tree: Tree, path: str, expected: str) -> ReleaseError:
    return ReleaseError(
        f"{tree.name}: {show_path(path)} is broken: it should hold {expected}", hint=REBUILD
    )


def _pairs(terms: list[Term]) -> Iterator[tuple[str, Term]]:
    """The `{Key, Value}` among the terms whose key is an atom."""
    for term in terms:
        match term:
            case (Atom() as key, value):
                yield str(key), value


def _atoms(term: Term | None) -> tuple[str, ...]:
    if not isinstance(term, list):
        return ()
    return tuple(str(item) for item in term if isinstance(item, Atom))
