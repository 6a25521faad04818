"""A release under other versions: its tree, with everything rewritten that names the old ones.

    lib/APP-VSN/…                    the folder; in APP.app its `vsn`
    releases/VSN/…                   the folder; releases/start_erl.data, releases/RELEASES
    releases/VSN/NAME.rel            the versions of the release and of its applications
    releases/VSN/*.boot, bin/*.boot  the same, code paths, and what the applications' .app say
    releases/VSN/sys.config          paths: mix has that of runtime.exs in it, with the version
    bin/NAME, bin/NAME-VSN           relx's own name of the second, and the version in both

`*.script` files are not in it: the VM boots the `.boot` form, and no image has them. A version that
a person wrote into a file of their own stays: nobody but them knows what it stands for.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from imagesmith.beam import etf
from imagesmith.beam.release import REBUILD, START_DATA, Release
from imagesmith.beam.term import Atom, ImproperList, Map, Term, text
from imagesmith.beam.terms import consult, format_term
from imagesmith.beam.tool import Tool
from imagesmith.beam.tree import Entry, File, Link, show_path
from imagesmith.errors import ReleaseError, TermError

__all__ = ["VersionedTree"]

SCRIPT_VERSION = r'(?m)^(\s*(?:export )?(?:REL|RELEASE)_VSN=)(["\']?){}\2$'
"""How relx's start scripts say which version they start."""
PART = r"[\w.+@-]"
"""What a name in a path is made of: a version must not be found within a longer one."""


class VersionedTree:
    """A Tree: a release's own, its applications in the `versions` given, itself in `version`.

    An application that `versions` does not name keeps its own. Raises ReleaseError for a release
    by Distillery, whose scripts we do not know so well, and for a file that is broken.
    """

    def __init__(self, release: Release, versions: Mapping[str, str], version: str) -> None:
        if release.tool is Tool.DISTILLERY:
            raise ReleaseError(
                f"{release.tree.name}: automatic versions are for releases by mix or relx, not by "
                "Distillery",
                hint="Write `pet: {versioning: manual}`, or move to `mix release`.",
            )
        self.name = release.tree.name
        self._tree = release.tree
        renaming = _Renaming(release, versions, version)
        self._places: dict[str, str] = {}
        self._changed: dict[str, bytes] = {}
        entries: dict[str, Entry] = {}
        for path, entry in release.tree.entries.items():
            if path.startswith(f"{release.folder}/") and path.endswith(".script"):
                continue
            place = renaming.path(path)
            self._places[place] = path
            match entry:
                case Link():
                    entries[place] = Link(renaming.target(path, entry.target))
                case File(executable=executable) if change := renaming.change(path):
                    data = self._changed[place] = _changed(release, path, change)
                    entries[place] = File(len(data), executable)
                case _:
                    entries[place] = entry
        self.entries: Mapping[str, Entry] = dict(sorted(entries.items()))

    def open(self, path: str) -> BinaryIO:
        """See Tree."""
        if path in self._changed:
            return io.BytesIO(self._changed[path])
        return self._tree.open(self._places.get(path, path))

    def read(self, path: str, size: int = -1) -> bytes:
        """See Tree."""
        if path in self._changed:
            return self._changed[path][: None if size < 0 else size]
        return self._tree.read(self._places.get(path, path), size)

    def stream(self, path: str) -> Iterator[bytes]:
        """See Tree."""
        if path in self._changed:
            return iter((self._changed[path],))
        return self._tree.stream(self._places.get(path, path))


Change = Callable[[bytes], bytes]


def _changed(release: Release, path: str, change: Change) -> bytes:
    try:
        return change(release.tree.read(path))
    except TermError as error:
        raise ReleaseError(
            f"{release.tree.name}: {show_path(path)} is broken: {error.message}", hint=REBUILD
        ) from None


class _Renaming:
    """From the old names to the new ones, in paths, texts and terms."""

    def __init__(self, release: Release, versions: Mapping[str, str], version: str) -> None:
        self._release = release
        self._version = version
        self._old = {app.name: app.version for app in release.applications if app.name in versions}
        self._new = versions
        self._resources = {
            app.resource_file for app in release.applications if app.name in versions
        }
        folders = {
            app.folder: f"lib/{app.name}-{versions[app.name]}"
            for app in release.applications
            if app.name in versions
        }
        folders[release.folder] = f"releases/{version}"
        if release.tool is Tool.RELX:
            start = f"bin/{release.name}-"
            folders[f"{start}{release.version}"] = f"{start}{version}"
        self._folders = folders
        # A boot script has lib/ by another name, such as $RELEASE_LIB.
        self._names = {
            old.removeprefix("lib/"): new.removeprefix("lib/") for old, new in folders.items()
        }
        longest = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._named = re.compile(f"(?<!{PART})(?:{'|'.join(longest)})(?!{PART})")

    def path(self, path: str) -> str:
        """Where a file lies."""
        top = "/".join(path.split("/", 2)[:2])
        new = self._folders.get(top)
        return path if new is None else new + path.removeprefix(top)

    def target(self, link: str, target: str) -> str:
        """Where a link leads."""
        if "/" in target:
            return self._text(target)
        return posixpath.basename(self.path(posixpath.join(posixpath.dirname(link), target)))

    def change(self, path: str) -> Change | None:
        """What rewrites a file, if anything."""
        if path in self._resources:
            return self._resource_file
        if path == START_DATA:
            return self._start_data
        if path == "releases/RELEASES":
            return self._releases_file
        folder, _, name = path.rpartition("/")
        if folder == "bin":
            return self._boot_file if name.endswith(".boot") else self._script
        if folder != self._release.folder:
            return None
        match posixpath.splitext(name)[1]:
            case ".boot":
                return self._boot_file
            case ".rel":
                return self._rel_file
            case ".config":
                return self._config_file
            case ".src" | ".args" | ".sh":
                return self._text_file
        return None

    # --- files ---

    def _resource_file(self, data: bytes) -> bytes:
        return _written([self._resource(term) for term in consult(data)])

    def _rel_file(self, data: bytes) -> bytes:
        return _written([self._rel(term) for term in consult(data)])

    def _releases_file(self, data: bytes) -> bytes:
        terms = [
            [self._entry(item) for item in term] if isinstance(term, list) else term
            for term in consult(data)
        ]
        return _written(terms)

    def _boot_file(self, data: bytes) -> bytes:
        match etf.decode(data):
            case (tag, named, list(instructions)) if tag == Atom("script"):
                return etf.encode(
                    (tag, self._identity(named), [self._instruction(item) for item in instructions])
                )
        raise TermError("it holds no boot script")

    def _config_file(self, data: bytes) -> bytes:
        """mix prints binaries as numbers, so no text can be looked for; and its script looks for
        RUNTIME_CONFIG in the comments."""
        try:
            before = consult(data)
        except TermError:
            return self._text_file(data)
        after = [self._paths(term) for term in before]
        if after == before:
            return data
        comments = [line for line in data.splitlines() if line.startswith(b"%")]
        return b"".join(b"%b\n" % line for line in comments) + _written(after, coding=b"")

    def _start_data(self, data: bytes) -> bytes:
        end = "\n" if data.endswith(b"\n") else ""
        return f"{self._release.erts_version} {self._version}{end}".encode()

    def _script(self, data: bytes) -> bytes:
        if not data.startswith(b"#!"):
            return data
        pattern = SCRIPT_VERSION.format(re.escape(self._release.version))
        said = re.sub(
            pattern, lambda found: f"{found[1]}{found[2]}{self._version}{found[2]}", _str(data)
        )
        return self._text(said).encode("latin-1")

    def _text_file(self, data: bytes) -> bytes:
        return self._text(_str(data)).encode("latin-1")

    # --- terms ---

    def _identity(self, term: Term) -> Term:
        """`{Name, Vsn}` of the release."""
        match term:
            case (name, vsn) if self._is_release(name, vsn):
                return (name, self._version)
        return term

    def _is_release(self, name: Term, vsn: Term) -> bool:
        return text(name) == self._release.name and text(vsn) == self._release.version

    def _rel(self, term: Term) -> Term:
        """OTP: rel(4)."""
        match term:
            case (tag, named, erts, list(applications), *rest):
                listed: list[Term] = [self._application(item) for item in applications]
                return (tag, self._identity(named), erts, listed, *rest)
        return term

    def _entry(self, term: Term) -> Term:
        """Of RELEASES (OTP: release_handler.erl, #release)."""
        match term:
            case (tag, name, vsn, erts, list(libraries), *rest) if self._is_release(name, vsn):
                listed: list[Term] = [self._application(item) for item in libraries]
                return (tag, name, self._version, erts, listed, *rest)
        return term

    def _application(self, term: Term) -> Term:
        """`{App, Vsn, …}`; in RELEASES a folder follows."""
        match term:
            case (Atom() as name, vsn, *rest) if text(vsn) == self._old.get(str(name)):
                return (name, self._new[str(name)], *map(self._paths, rest))
        return term

    def _resource(self, term: Term) -> Term:
        """OTP: app(4)."""
        match term:
            case (tag, Atom() as name, list(pairs)) if str(name) in self._old:
                new = self._new[str(name)]
                return (tag, name, [_with_version(pair, new) for pair in pairs])
        return term

    def _instruction(self, term: Term) -> Term:
        """OTP: script(4)."""
        match term:
            case (tag, list(paths)) if tag == Atom("path"):
                return (tag, [self._paths(path) for path in paths])
            case (tag, (module, function, [resource])) if (tag, module, function) == LOAD:
                return (tag, (module, function, [self._resource(resource)]))
        return term

    def _paths(self, term: Term) -> Term:
        match term:
            case Atom():
                return term
            case str():
                return self._text(term)
            case bytes():
                return self._text(_str(term)).encode("latin-1")
            case tuple():
                return tuple(map(self._paths, term))
            case [int(), *_]:  # a string, as mix prints it
                said = _string(term)
                renamed = said and self._text(said)
                return term if renamed in (None, said) else renamed
            case list():
                return [self._paths(item) for item in term]
            case Map():
                return Map(tuple((key, self._paths(value)) for key, value in term.pairs))
            case ImproperList():
                return ImproperList(tuple(map(self._paths, term.elements)), self._paths(term.tail))
        return term

    def _text(self, said: str) -> str:
        return self._named.sub(lambda found: self._names[found[0]], said)


LOAD = (Atom("apply"), Atom("application"), Atom("load"))


def _with_version(pair: Term, version: str) -> Term:
    match pair:
        case (key, _) if key == Atom("vsn"):
            return (key, version)
    return pair


def _written(terms: list[Term], coding: bytes = b"%% coding: utf-8\n") -> bytes:
    return coding + b"".join(f"{format_term(term)}.\n".encode() for term in terms)


def _string(term: Term) -> str | None:
    try:
        return text(term)
    except TermError:
        return None


def _str(data: bytes) -> str:
    """Bytes as characters, whatever they mean: what is looked for is ASCII."""
    return data.decode("latin-1")
