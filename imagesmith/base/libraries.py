"""The shared libraries that a release's ELF files need: found in a sysroot, checked, gathered.

The commonest way for a BEAM image to die is at its first start: `error while loading shared
libraries`, or `version 'GLIBC_2.38' not found`. Both are found here, before anything is written.
The search follows ld.so(8).
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from imagesmith.base.elf import Elf, read_elf
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
    problems = sorted(set(gathering.run()))
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
    """A walk from the release's files to the libraries that they need, and what these need."""

    def __init__(self, sysroot: Sysroot, files: Mapping[str, Elf]) -> None:
        self.sysroot = sysroot
        self.files = files
        self.found = Libraries()
        self.read: dict[str, Elf] = {}
        self.queue = deque(files.items())
        self.configured = _configured(sysroot)

    def run(self) -> Iterator[str]:
        """Walk; yields what is missing, in words."""
        while self.queue:
            path, elf = self.queue.popleft()
            if elf.interpreter and not self._take(elf.interpreter):
                yield f"{path} needs the loader {elf.interpreter}, which is not there"
            for library in elf.needed:
                place = self._find(library, path, elf)
                if place is None:
                    yield f"{path} needs {library}, which is not there"
                elif place not in self.files:
                    yield from self._use(place, path, elf, elf.wants.get(library, frozenset()))

    def _use(self, place: str, by: str, elf: Elf, versions: frozenset[str]) -> Iterator[str]:
        if place not in self.read:
            self._take(place)
            self.read[place] = self._elf(place)
            self.queue.append((place, self.read[place]))
            folder, name = posixpath.split(place)
            if folder not in _default_folders(elf.architecture):
                self._link_from_default_folder(place, elf)
            for companion in COMPANIONS.get(name, ()):
                self._use_companion(f"{folder}/{companion}")
        defined = self.read[place].defines
        for version in sorted(versions - defined) if defined else ():
            yield f"{by} needs {version}, which {place} does not have"

    def _use_companion(self, place: str) -> None:
        if place not in self.read and self._take(place):
            self.read[place] = self._elf(place)
            self.queue.append((place, self.read[place]))

    def _find(self, library: str, path: str, elf: Elf) -> str | None:
        """The path of a library, in the release itself or as ld.so looks for it."""
        origin = posixpath.dirname(path)
        own = [folder.replace("${ORIGIN}", "$ORIGIN") for folder in elf.run_paths if folder]
        folders = [
            *(folder.replace("$ORIGIN", origin) for folder in own),
            *_default_folders(elf.architecture),
            *self.configured,
        ]
        for folder in folders:
            place = posixpath.normpath(f"{folder}/{library}")
            if place in self.files or self._fits(place, elf):
                return place
        return None

    def _fits(self, place: str, elf: Elf) -> bool:
        """Whether there is a library for the same architecture: ld.so passes over others."""
        found = self.sysroot.resolve(place)
        if found is None:
            return False
        with self.sysroot.open(found[0]) as file:
            if file.read(4) != b"\x7fELF":
                return False  # a linker script: in -dev packages, libc.so is one
        return self._elf(place).architecture == elf.architecture

    def _elf(self, place: str) -> Elf:
        if place in self.read:
            return self.read[place]
        found = self.sysroot.resolve(place)
        with self.sysroot.open(found[0] if found else place) as file:
            return read_elf(file, f"{self.sysroot.root}: {place}")

    def _take(self, place: str) -> bool:
        found = self.sysroot.members(place)
        if found is None:
            return False
        self.found.members.update((member.path, member) for member in found)
        self.found.taken.add(f"/{found[-1].path}")
        return True

    def _link_from_default_folder(self, place: str, elf: Elf) -> None:
        """Make a library findable that only ld.so's cache knew: the image has no such cache."""
        if posixpath.dirname(place) in self.configured:
            link = f"{_default_folders(elf.architecture)[1]}/{posixpath.basename(place)}"[1:]
            self.found.members[link] = LinkMember(link, place)


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
    lines = [line.strip() for file in files for line in (sysroot.text(file) or "").splitlines()]
    return [posixpath.normpath(line) for line in lines if line.startswith("/")]
