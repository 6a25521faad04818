"""The shared libraries that a release's ELF files need: found in a sysroot, checked, gathered.

The commonest way for a BEAM image to die is at its first start: `error while loading shared
libraries`, or `version 'GLIBC_2.38' not found`. Both are found here, before anything is written.
The search follows ld.so(8).
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from imagesmith.base.elf import MAGIC, Elf, read_elf
from imagesmith.base.sysroot import Sysroot
from imagesmith.errors import BaseError
from imagesmith.layer.member import LinkMember, Member

__all__ = ["Libraries", "gather"]

TRIPLETS = {
    "386": "i386-linux-gnu",
    "amd64": "x86_64-linux-gnu",
    "arm": "arm-linux-gnueabihf",
    "arm64": "aarch64-linux-gnu",
    "ppc64le": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
}
"""Debian's names for the library folders of an architecture."""

COMPANIONS = {
    "libc.so.6": ("libgcc_s.so.1",),
    "libcrypto.so.3": ("ossl-modules/legacy.so",),
}
"""What is loaded by name at run time, so that no ELF file says it, taken where it is there.

pthread_cancel(3) wants libgcc; OTP's crypto asks OpenSSL 3 for the provider of old algorithms.
"""

LIBC = "libc.so.6"
NSS_INSIDE = "GLIBC_2.34"
NSS = ("libnss_files.so.2", "libnss_dns.so.2")
"""What glibc looks up users and hosts with; since 2.34 they are inside of libc (its NEWS)."""

SHOWN = 8
"""How many problems a message lists: the first few say what is wrong with the sysroot."""


@dataclass(frozen=True, slots=True)
class Libraries:
    """What was gathered: members by path, and the files' real paths in the sysroot."""

    members: dict[str, Member] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def gather(sysroot: Sysroot, files: Mapping[str, Elf]) -> Libraries:
    """Everything that `files` (ELF files by absolute path in the image) need of the sysroot.

    Raises BaseError with every library, symbol version and loader that is not there.
    """
    gathering = _Gathering(sysroot, files)
    found = {path: list(gathering.load(path)) for path in files}
    # What another file brings along is not loaded by itself: its user's RPATH finds for it.
    alone = [path for path, elf in files.items() if id(elf) not in gathering.brought]
    problems = sorted({problem for path in alone for problem in found[path]})
    if problems:
        more = [f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise BaseError(
            f"the sysroot {sysroot.root} cannot carry this release:\n  "
            + "\n  ".join([*problems[:SHOWN], *more]),
            hint="Give it the system that the release was built on, "
            "`base: {minimal: {sysroot: DIR}}`, or build the release on this one.",
        )
    return gathering.found


class _Gathering:
    """Loads the release's files one after the other, as ld.so would, and notes what it opened."""

    def __init__(self, sysroot: Sysroot, files: Mapping[str, Elf]) -> None:
        self.sysroot = sysroot
        self.files = files
        self.found = Libraries()
        self.read: dict[str, Elf | None] = {}
        self.used: set[str] = set()
        self.brought: set[int] = set()  # ids of Elf: a file may have many names, by links
        self.configured = _configured(sysroot)

    def load(self, path: str) -> Iterator[str]:
        """Load a file of the release, breadth first; yields what is missing, in words.

        A name that is loaded already is not looked for again: so a library without a RUNPATH
        finds those that its user has brought along.
        """
        first = self.files[path]
        if first.interpreter and not self._take(first.interpreter):
            yield f"{path} needs the loader {first.interpreter}, which is not there"
        loaded: dict[str, str] = {}
        queue: deque[tuple[str, Elf, tuple[str, ...]]] = deque([(path, first, ())])
        while queue:
            by, elf, inherited = queue.popleft()
            # A RUNPATH silences the file's own RPATH; a RPATH holds for what it loads as well.
            rpath = () if elf.runpath else (*_expanded(elf.rpath, by), *inherited)
            folders = _expanded(elf.runpath, by) or rpath
            for library in elf.needed:
                if library not in loaded:
                    place = self._find(library, elf, folders)
                    if place is None:
                        yield f"{by} needs {library}, which is not there"
                        continue
                    loaded[library] = place
                    found = self._elf(place)
                    loaded.setdefault(found.soname or library, place)
                    if place in self.files and found is not first:
                        self.brought.add(id(found))
                    queue.append((place, found, rpath or inherited))
                    queue += [(one, self._elf(one), ()) for one in self._use(place, elf)]
                yield from self._versions(by, elf, library, loaded[library])

    def _versions(self, by: str, elf: Elf, library: str, place: str) -> Iterator[str]:
        """The versions of symbols that are not there; a library without any passes (ld.so)."""
        defined = self._elf(place).defines
        for version in sorted(elf.wants.get(library, frozenset()) - defined) if defined else ():
            yield f"{by} needs {version}, which {place} does not have"

    def _use(self, place: str, elf: Elf) -> list[str]:
        """Take a library of the sysroot; returns the companions that it brings."""
        if place in self.used or place in self.files:
            return []
        self.used.add(place)
        self._take(place)
        folder, name = posixpath.split(place)
        if folder in self.configured and folder not in _default_folders(elf.architecture):
            self._link_from_default_folder(place, elf)
        companions = COMPANIONS.get(name, ())
        if name == LIBC and NSS_INSIDE not in self._elf(place).defines:
            companions = (*companions, *NSS)
        brought = [f"{folder}/{companion}" for companion in companions]
        return [one for one in brought if self._fits(one, elf) and self._take(one)]

    def _find(self, library: str, elf: Elf, folders: Iterable[str]) -> str | None:
        """The path of a library, in the release itself or as ld.so looks for it.

        ld.so's cache holds the folders of ld.so.conf before the default ones (ldconfig(8)).
        """
        if "/" in library:
            return library if self._fits(library, elf) else None
        for folder in (*folders, *self.configured, *_default_folders(elf.architecture)):
            place = posixpath.normpath(f"{folder}/{library}")
            if self._fits(place, elf):
                return place
        return None

    def _fits(self, place: str, elf: Elf) -> bool:
        """Whether there is a library for the same architecture: ld.so passes over others."""
        found = self._maybe_elf(place)
        return found is not None and found.architecture == elf.architecture

    def _elf(self, place: str) -> Elf:
        found = self._maybe_elf(place)
        assert found is not None, place
        return found

    def _maybe_elf(self, place: str) -> Elf | None:
        """The ELF file at a path of the image, if there is one; read once."""
        if place in self.files:
            return self.files[place]
        if place not in self.read:
            self.read[place] = self._read(place)
        return self.read[place]

    def _read(self, place: str) -> Elf | None:
        found = self.sysroot.members(place)
        if found is None:
            return None
        with self.sysroot.open(f"/{found[-1].path}") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None  # a linker script: in -dev packages, libc.so is one
            return read_elf(file, f"{self.sysroot.root}: {place}")

    def _take(self, place: str) -> bool:
        found = self.sysroot.members(place)
        if found is None:
            return False
        self.found.members.update((member.path, member) for member in found)
        self.found.taken.add(f"/{found[-1].path}")
        return True

    def _link_from_default_folder(self, place: str, elf: Elf) -> None:
        """Make a library findable that only ld.so's cache knew: the image has no such cache.

        The link goes to where the C library lies: there this system's loader looks unasked.
        """
        defaults = _default_folders(elf.architecture)
        beside = [folder for folder in defaults if self._fits(f"{folder}/{LIBC}", elf)]
        folder = beside[0] if beside else defaults[1]
        real, links = self.sysroot.resolve(folder) or (folder, [])
        self.found.members.update((member.path, member) for member in links)
        link = f"{real}/{posixpath.basename(place)}"[1:]
        self.found.members.setdefault(link, LinkMember(link, place))


def _expanded(folders: Iterable[str], path: str) -> tuple[str, ...]:
    """Folders of a RPATH or RUNPATH, with the place of the file that has it for `$ORIGIN`."""
    origin = posixpath.dirname(path)
    return tuple(
        folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for folder in folders
    )


def _default_folders(architecture: str) -> tuple[str, ...]:
    """Where ld.so looks without being told, on Debian and on others."""
    triplet = TRIPLETS.get(architecture, architecture)
    return (
        *(f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64"),
        *("/lib", "/usr/lib"),
    )


def _configured(sysroot: Sysroot) -> list[str]:
    """The folders of `/etc/ld.so.conf` and `/etc/ld.so.conf.d/*.conf`."""
    parts = [name for name in sysroot.names("/etc/ld.so.conf.d") if name.endswith(".conf")]
    files = ["/etc/ld.so.conf", *(f"/etc/ld.so.conf.d/{name}" for name in parts)]
    texts = [sysroot.text(file) or "" for file in files]
    lines = [line.partition("#")[0].strip() for text in texts for line in text.splitlines()]
    return [posixpath.normpath(line) for line in lines if line.startswith("/")]
