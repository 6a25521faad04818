"""Versions from code (`pet: {versioning: auto}`): the same code has the same version everywhere.

    0.1.0+3f2a9c1d0e         what mix.exs or .app.src says, and a hash of the application's code
    0.1.0+exp.3f2a9c1d0e     where it has such a part already

That part is SemVer's build metadata: Elixir's Version takes it, and lets two versions that differ
in nothing else be equal; to OTP a version is any text (app(4), rel(4)). It holds no hyphen, since
OTP's code server takes what stands before the first one for an application's name.

An application's hash covers what a node runs of it: its modules in their canonical form, line
numbers aside, its priv files and links, and its `.app` file but for the version and the time of the
build. So it is the same in every release and on every machine; native code alone is as its compiler
made it. The release's hash covers the versions of ERTS and of all applications, and the release's
own files: configuration, scripts, overlays, consolidated protocols. OTP's and Elixir's applications
keep their versions, which stand for their code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from imagesmith.beam.etf import decode, encode
from imagesmith.beam.origin import Origin
from imagesmith.beam.release import START_DATA, Application, Release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import consult
from imagesmith.beam.tree import File, Link
from imagesmith.beam.versioned import VersionedTree
from imagesmith.errors import TermError
from imagesmith.plan.code import Running

__all__ = ["automatic", "given"]

DIGITS = 10
"""Of the hash: a million versions of one application share one by a chance of less than a half."""
OF_THE_BUILD = ("vsn", "config_mtime")
"""Keys of an `.app` file that say nothing of the code; the second is mix's, since Elixir 1.17.3."""
NOT_OF_THE_CODE = ("releases/COOKIE", "releases/RELEASES", START_DATA)
LOAD = (Atom("apply"), Atom("application"), Atom("load"))


def automatic(release: Release) -> VersionedTree:
    """The release's tree with versions from code. Raises ReleaseError for one that is broken."""
    running = Running(release)
    versions = {
        app.name: _version(app.version, _application(running, app))
        for app in release.applications
        if app.origin not in (Origin.OTP, Origin.ELIXIR)
    }
    return VersionedTree(release, versions, _version(release.version, _release(running, versions)))


def given(version: str) -> str:
    """A version without the part that `automatic` adds: what a person gave."""
    base, plus, build = version.partition("+")
    rest, _, last = build.rpartition(".")
    if not plus or not re.fullmatch(f"[0-9a-f]{{{DIGITS}}}", last):
        return version
    return f"{base}+{rest}" if rest else base


def _version(version: str, digest: str) -> str:
    """One that has its hash already keeps it: such a release was taken out of an image."""
    tail = digest[:DIGITS]
    if version.endswith((f"+{tail}", f".{tail}")):
        return version
    return f"{version}{'.' if '+' in version else '+'}{tail}"


def _application(running: Running, application: Application) -> str:
    release, code = running.release, running.code(application.name)
    fields = ["application", application.name, _resource(release, application.resource_file)]
    for kind, found in (("module", code.modules), ("native", code.native), ("file", code.others)):
        for name, digest in sorted(found.items()):
            entry = release.tree.entries.get(f"{application.folder}/{name}")
            mode = "755" if isinstance(entry, File) and entry.executable else "644"
            fields += [kind, name, mode, digest]
    return _hash(fields)


def _resource(release: Release, path: str) -> str:
    """What an `.app` file says, in whatever order."""
    pairs: list[bytes] = []
    for term in consult(release.tree.read(path)):
        match term:
            case (_, _, list(keys)):
                pairs += [encode(pair) for pair in keys if not _is_of_the_build(pair)]
    return _digest(b"".join(sorted(pairs)))


def _is_of_the_build(pair: Term) -> bool:
    match pair:
        case (Atom() as key, _):
            return str(key) in OF_THE_BUILD
    return False


def _release(running: Running, versions: Mapping[str, str]) -> str:
    release = running.release
    fields = ["release", release.name, release.erts_version]
    for app in release.applications:
        fields += [app.name, versions.get(app.name, app.version)]
    for name, version in release.from_base:
        fields += [name, version]
    for name, digest in sorted(running.protocols.items()):
        fields += ["protocol", name, digest]
    for path in _own_paths(release):
        place = path.replace(f"{release.folder}/", "releases/VSN/", 1)
        match release.tree.entries[path]:
            case Link(target):
                fields += [place, "link", target]
            case File(_, executable):
                content = _content(release, path)
                fields += [place, "755" if executable else "644", content]
    return _hash(fields)


def _own_paths(release: Release) -> Iterator[str]:
    """What belongs to no application, to no protocol and not to the runtime system."""
    others = tuple(
        f"{folder}/"
        for folder in (
            release.erts_folder,
            release.consolidated,
            *(app.folder for app in release.applications),
        )
    )
    for path in release.paths:
        is_script = path.startswith("releases/") and path.endswith(".script")
        if not (is_script or path.startswith(others) or path in NOT_OF_THE_CODE):
            yield path


def _content(release: Release, path: str) -> str:
    """A hash of a file of the release's own; of terms what they mean, not how they are written.

    The keys of a map are printed in an order that is not the same in every VM (OTP 26).
    """
    if path.startswith((f"{release.folder}/", "bin/")):
        try:
            if path.endswith(".boot"):
                return _digest(encode(_without_resources(decode(release.tree.read(path)))))
            if path.endswith((".config", ".rel")):
                data = release.tree.read(path)
                flags = [line for line in data.splitlines() if line.startswith(b"%")]
                return _digest(b"\n".join([*flags, encode(consult(data))]))
        except TermError:
            pass  # a file of the user's own, which is as it is
    return _digest(*release.tree.stream(path))


def _without_resources(boot: Term) -> Term:
    """A boot script without what the `.app` files say: the applications' versions stand for it."""
    match boot:
        case (tag, named, list(instructions)):
            return (tag, named, [_without_resource(item) for item in instructions])
    return boot


def _without_resource(instruction: Term) -> Term:
    match instruction:
        case (tag, (module, function, [(_, name, _)])) if (tag, module, function) == LOAD:
            return (tag, (module, function, name))
    return instruction


def _digest(*chunks: bytes) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _hash(fields: Iterable[str]) -> str:
    """With their lengths before them: no two lists of fields run into the same bytes."""
    digest = hashlib.sha256()
    for field in fields:
        data = field.encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
