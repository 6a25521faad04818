"""From a release's files to pieces: what is shipped, where it lies in the image, in which form.

    in the release                     in the image, under /app        in the piece of
    lib/APP-VSN/…                      lib/APP/…                       the application
    lib/APP-VSN/ebin/APP.app           lib/APP/ebin/APP.app            own: the release
    ELF files anywhere, links to them,
    erts-VSN/…                         the same place                  native
    releases/VSN/consolidated/…        consolidated/…                  protocols
    lib/NAME-VSN/consolidated/…        lib/NAME/consolidated/…         protocols, Distillery's
    bin/…, releases/VSN/…, the rest    the same place                  the release
                                       lib/APP-VSN -> APP              the release
                                       releases/VSN/consolidated -> …  the release

Not shipped: `releases/COOKIE`, which is a secret, and `*.script`, of which the VM reads only the
`.boot` form.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import chain

from imagesmith.beam.module import KEEPABLE, canonical, chunks
from imagesmith.beam.origin import Origin
from imagesmith.beam.release import REBUILD, Application, Release
from imagesmith.beam.tool import Tool
from imagesmith.beam.tree import (
    MAX_LINK_HOPS,
    EmptyFolder,
    File,
    Link,
    Special,
    show_path,
)
from imagesmith.errors import ModuleError, ReleaseError
from imagesmith.layer.member import (
    Content,
    FileMember,
    FolderMember,
    LinkMember,
    Member,
    parents,
)
from imagesmith.layer.split import Group, Piece, own_pieces

__all__ = ["kept_chunks", "pieces_of", "strippable_bytes"]

ELF_MAGIC = b"\x7fELF"
NO_PROGRAMS = (".beam", ".app")
GROUPS = {
    Origin.OTP: Group.OTP,
    Origin.ELIXIR: Group.ELIXIR,
    Origin.THIRD_PARTY: Group.THIRD_PARTY,
}
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
SAMPLE = 8
"""Modules of an application that tell whether its release is stripped."""

Rewrite = Callable[[str], Callable[[bytes], bytes] | None]
"""By a file's path: what changes its bytes, or None to leave them."""


def kept_chunks(release: Release, strip: str) -> frozenset[bytes]:
    """Which of KEEPABLE stay in the modules under `layers.strip`: auto, always or never.

    `auto` keeps what the team's own applications still have: mix strips by default, so what is
    there was kept on purpose.
    """
    if strip == "always":
        return frozenset()
    if strip == "never":
        return KEEPABLE
    found: set[bytes] = set()
    for application in release.applications:
        if application.origin is Origin.OWN:
            for path in _modules(release, application)[:SAMPLE]:
                found |= KEEPABLE & _chunks(release, path).keys()
    return frozenset(found)


def strippable_bytes(release: Release) -> int:
    """The bytes that `strip: always` would take out of the release, where `auto` keeps some."""
    keep = kept_chunks(release, "auto")
    if not keep:
        return 0
    return sum(
        len(found[name])
        for application in release.applications
        for path in _modules(release, application)
        for found in [_chunks(release, path)]
        for name in keep & found.keys()
    )


def pieces_of(
    release: Release,
    *,
    keep: Collection[bytes] | None,
    rewrite: Rewrite = lambda _: None,
) -> list[Piece]:
    """All pieces of a release.

    `keep` are the chunks that modules keep (`kept_chunks`), None takes every file as it is.
    `rewrite(path)` tells which of the release's own files get a last change. Raises ReleaseError,
    naming the file, for what an image cannot hold or a VM could not load.
    """
    native: list[Member] = []
    protocols: list[Member] = []
    own_files: list[Member] = []
    by_application: dict[str, list[Member]] = defaultdict(list)
    places = {app.folder: app for app in release.applications}
    consolidated = f"{release.consolidated}/"

    for path in release.paths:
        folder = "/".join(path.split("/", 2)[:2])
        if path.startswith(f"{release.erts_folder}/"):
            native.append(_member(release, path, path))
        elif path.startswith(consolidated):
            place = f"{_protocols_place(release)}/{path.removeprefix(consolidated)}"
            protocols.append(_module(release, path, place, keep))
        elif application := places.get(folder):
            member = _application_member(release, application, path, keep)
            if _is_elf(release, path, member):
                native.append(member)
            elif application.origin is Origin.OWN and path == application.resource_file:
                own_files.append(member)
            else:
                by_application[application.name].append(member)
        elif _is_shipped(path):
            member = _member(release, path, path)
            if _is_elf(release, path, member):
                native.append(member)
            else:
                own_files.append(_rewritten(member, rewrite))
    own_files += _links(release, bool(protocols))
    _check_places(release, [*native, *protocols, *own_files, *chain(*by_application.values())])
    return [
        *([Piece.of(Group.NATIVE, "native", native)] if native else []),
        *_application_pieces(release, by_application),
        *([Piece.of(Group.PROTOCOLS, "protocols", protocols)] if protocols else []),
        Piece.of(Group.RELEASE, "release", own_files),
    ]


def _check_places(release: Release, members: Collection[Member]) -> None:
    """An overlay may lie where the image keeps something else: neither may hide the other."""
    found: dict[str, Member] = {}
    for member in members:
        if member.path in found:
            raise _taken(release, member.path)
        found[member.path] = member
    for folder in parents(found):
        if not isinstance(found.get(folder, FolderMember(folder)), FolderMember):
            raise _taken(release, folder)


def _taken(release: Release, path: str) -> ReleaseError:
    return ReleaseError(
        f"{release.tree.name}: two files would lie at {show_path(path)} in the image",
        hint="Images keep applications at lib/APP and protocols at consolidated/: rename what "
        "rel/overlays put there.",
    )


def _application_pieces(release: Release, members: dict[str, list[Member]]) -> Iterator[Piece]:
    for application in release.applications:
        held = members.get(application.name)
        if not held:
            continue
        if application.origin is Origin.OWN:
            yield from own_pieces(application.name, held)
        else:
            yield Piece.of(GROUPS[application.origin], application.name, held)


def _application_member(
    release: Release, application: Application, path: str, keep: Collection[bytes] | None
) -> Member:
    place = f"lib/{application.name}/{path.removeprefix(application.folder + '/')}"
    if path.startswith(f"{application.folder}/ebin/") and path.endswith(".beam"):
        return _module(release, path, place, keep)
    return _member(release, path, place)


def _module(release: Release, path: str, place: str, keep: Collection[bytes] | None) -> Member:
    if keep is None or not isinstance(release.tree.entries[path], File):
        return _member(release, path, place)
    _check_name(release, path)

    def stream() -> tuple[bytes]:
        try:
            return (canonical(release.tree.read(path), keep),)
        except ModuleError as error:
            raise _unloadable(release, path, error) from None

    return FileMember(place, Content.of(stream))


def _member(release: Release, path: str, place: str) -> Member:
    _check_name(release, path)
    match release.tree.entries[path]:
        case File(_, executable):
            content = Content.of(partial(release.tree.stream, path))
            return FileMember(place, content, executable)
        case Link(target):
            _check_text(release, path, target)
            return LinkMember(place, target)
        case EmptyFolder():
            return FolderMember(place)
        case Special(kind):
            raise ReleaseError(
                f"{release.tree.name}: {show_path(path)} is {kind}, which no image can hold",
                hint="Remove it from the release.",
            )


def _rewritten(member: Member, rewrite: Rewrite) -> Member:
    change = rewrite(member.path)
    if change is None or not isinstance(member, FileMember):
        return member
    data = member.content.read()
    changed = change(data)
    if changed == data:
        return member
    return FileMember(member.path, Content.of_bytes(changed), member.executable)


def _links(release: Release, consolidated: bool) -> Iterator[Member]:
    for application in release.applications:
        yield LinkMember(application.folder, application.name)
    if consolidated and release.tool is not Tool.DISTILLERY:
        yield LinkMember(release.consolidated, "../../consolidated")
    elif consolidated:
        folder = f"lib/{release.name}-{release.version}"
        if folder not in {application.folder for application in release.applications}:
            yield LinkMember(folder, release.name)


def _protocols_place(release: Release) -> str:
    if release.tool is Tool.DISTILLERY:
        return f"lib/{release.name}/consolidated"
    return "consolidated"


def _is_shipped(path: str) -> bool:
    if path == "releases/COOKIE":
        return False
    return not (path.startswith("releases/") and path.endswith(".script"))


def _is_elf(release: Release, path: str, member: Member) -> bool:
    """Whether it is an ELF file, or a link to one: ld.so finds many a library by its link."""
    if isinstance(member, FileMember):
        return member.content.head == ELF_MAGIC and not path.endswith(NO_PROGRAMS)
    for _ in range(MAX_LINK_HOPS):
        entry = release.tree.entries.get(path)
        if not isinstance(entry, Link):
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
    if not isinstance(entry, File) or path.endswith(NO_PROGRAMS):
        return False
    return release.tree.read(path, len(ELF_MAGIC)) == ELF_MAGIC


def _modules(release: Release, application: Application) -> list[str]:
    start = f"{application.folder}/ebin/"
    return [p for p in release.paths if p.startswith(start) and p.endswith(".beam")]


def _chunks(release: Release, path: str) -> dict[bytes, bytes]:
    try:
        return chunks(release.tree.read(path))
    except ModuleError as error:
        raise _unloadable(release, path, error) from None


def _unloadable(release: Release, path: str, error: ModuleError) -> ReleaseError:
    return ReleaseError(
        f"{release.tree.name}: {path} cannot be loaded: {error.message}",
        hint=REBUILD,
    )


def _check_name(release: Release, path: str) -> None:
    _check_text(release, path, path)


def _check_text(release: Release, path: str, text: str) -> None:
    """Names in an image are UTF-8 without control characters (PAX, and every tool that lists)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        problem = "is not valid UTF-8"
    else:
        if not CONTROL_CHARACTER.search(text):
            return
        problem = "holds a control character"
    raise ReleaseError(
        f"{release.tree.name}: the file name {text!a} {problem}",
        hint=f"Rename it; it lies at {show_path(path)}.",
    )
