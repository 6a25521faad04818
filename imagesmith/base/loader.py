"""The dynamic loader's search, done beforehand: which libraries a file opens, and what it misses.

The commonest way for a BEAM image to die is at its first start: `error while loading shared
libraries`, or `version 'GLIBC_2.38' not found`. As ld.so(8) searches for glibc, and musl's
`ldso/dynlink.c` for musl.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from imagesmith.base.advice import Adviser, highest, is_of_system, version_of
from imagesmith.base.elf import LIBC, MAGIC, Elf, read_elf
from imagesmith.base.finding import Finding
from imagesmith.base.sysroot import Sysroot

__all__ = ["MISSING", "Loader", "default_folders"]

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

NSS_INSIDE = "GLIBC_2.34"
NSS = ("libnss_files.so.2", "libnss_dns.so.2")
"""What glibc looks up users and hosts with; since 2.34 they are inside of libc (its NEWS)."""

MUSL_OWN = tuple(f"lib{name}." for name in "c pthread rt m dl util xnet".split())
"""Names that musl takes for itself, whatever follows the point."""

LOADERS = ("ld-linux", "ld64.so", "ld-musl-")
"""How the loaders' names begin (glibc, shlib-versions; ld64 on ppc64le and s390x; musl)."""

MUSL_FOLDERS = ("/lib", "/usr/local/lib", "/usr/lib")
MISSING = "which is not there"


class Loader:
    """Loads the release's files one after the other, and notes what it opened.

    `files` are ELF files by absolute path in the image; `vm` is beam.smp among them, whose C
    library is everybody's that it loads. `used` are the libraries of the sysroot, each with the
    file that asked first; `companions` and `loaders` are opened besides. `architectures` are those
    of the sysroot, as its loaders tell; none where it has none.
    """

    def __init__(
        self, root: Sysroot, files: Mapping[str, Elf], adviser: Adviser, vm: Elf | None = None
    ) -> None:
        self.root = root
        self.files = files
        self.adviser = adviser
        self.vm = vm
        self.used: dict[str, Elf] = {}
        self.companions: list[str] = []
        self.loaders: list[str] = []
        self.configured = _configured(root)
        self._read: dict[str, Elf | None] = {}
        self._brought: set[int] = set()  # ids of Elf: a file may have many names, by links
        self.architectures = frozenset(self._architectures())

    def load_all(self) -> list[Finding]:
        """Load every file; what another one brings along need not be loadable by itself."""
        found = {path: list(self._load(path)) for path in self.files}
        alone = [path for path, elf in self.files.items() if id(elf) not in self._brought]
        return list(dict.fromkeys(finding for path in alone for finding in found[path]))

    def fits(self, place: str, elf: Elf) -> bool:
        """Whether there is a library for the same architecture: ld.so passes over others."""
        found = self._maybe_elf(place)
        return found is not None and found.architecture == elf.architecture

    def _load(self, path: str) -> Iterator[Finding]:
        """Load a file, breadth first.

        A name that is loaded already is not looked for again: so a library without a RUNPATH
        finds those that its user has brought along.
        """
        first = self.files[path]
        libc = first.libc if first.interpreter else self.vm.libc if self.vm else first.libc
        if finding := self._unfit(path, first, libc):
            yield finding
            return
        if first.interpreter:
            self.loaders.append(first.interpreter)
        loaded: dict[str, str] = {}
        queue: deque[tuple[str, Elf, tuple[str, ...]]] = deque([(path, first, ())])
        while queue:
            by, elf, inherited = queue.popleft()
            # A RUNPATH silences the file's own RPATH; a RPATH holds for what it loads as well.
            rpath = () if elf.runpath else (*_expanded(elf.rpath, by), *inherited)
            folders = _expanded(elf.runpath, by) or rpath
            if libc == "musl":  # which makes no difference between the two
                rpath = folders = (*_expanded((*elf.rpath, *elf.runpath), by), *inherited)
            for library in elf.needed:
                if libc == "musl" and library.startswith(MUSL_OWN):
                    continue
                if library not in loaded:
                    place = self._find(library, elf, folders, libc)
                    if place is None:
                        yield self._missing(by, elf, library)
                        continue
                    loaded[library] = place
                    found = self._elf(place)
                    loaded.setdefault(found.soname or library, place)
                    if place in self.files and found is not first:
                        self._brought.add(id(found))
                    queue.append((place, found, rpath or inherited))
                    queue += [(one, self._elf(one), ()) for one in self._use(place, elf)]
                if libc != "musl":
                    yield from self._versions(by, elf, library, loaded[library])

    def _unfit(self, path: str, elf: Elf, libc: str | None) -> Finding | None:
        """Whether the file is for another system altogether, and all else would only confuse."""
        if self.architectures and elf.architecture not in self.architectures:
            offers = f"but this system is for {' and '.join(sorted(self.architectures))}"
            advice = self.adviser.architecture(elf.architecture)
            return Finding(path, f"{elf.architecture} to run", offers, advice)
        if elf.interpreter:
            if self.root.file(elf.interpreter):
                return None
            needs = f"the loader {elf.interpreter}"
            advice = self.adviser.libc(elf.libc or "glibc", elf.interpreter)
            return Finding(path, needs, MISSING, advice)
        if elf.libc and libc and elf.libc != libc:
            advice = self.adviser.other_libc(elf.libc, libc)
            return Finding(path, f"the C library {elf.libc}", f"but the VM is for {libc}", advice)
        return None

    def _architectures(self) -> Iterator[str]:
        """Those that the system has a loader for, glibc's or musl's."""
        for folder in ("/lib", "/lib64"):
            for name in self.root.names(folder):
                if name.startswith(LOADERS) and (elf := self._maybe_elf(f"{folder}/{name}")):
                    yield elf.architecture

    def _missing(self, by: str, elf: Elf, library: str) -> Finding:
        """A library that is not there; told with its version, where a system has one of it."""
        wanted = [symbol for symbol in elf.wants.get(library, ()) if is_of_system(symbol)]
        if not wanted:
            return Finding(by, library, MISSING, self.adviser.library(library))
        symbol = max(wanted, key=lambda one: version_of(one) or ("", ()))
        advice = self.adviser.library(library, symbol)
        return Finding(by, f"{library} with {symbol}", MISSING, advice)

    def _versions(self, by: str, elf: Elf, library: str, place: str) -> Iterator[Finding]:
        """The versions of symbols that are not there, of each name the highest.

        A library without any passes, as ld.so lets it.
        """
        defined = self._elf(place).defines
        missing = elf.wants.get(library, frozenset()) - defined if defined else frozenset()
        for name in sorted({(version_of(symbol) or (symbol,))[0] for symbol in missing}):
            symbol = highest(missing, name) or name
            best = highest(defined, name)
            older = best and highest((best, symbol), name) == symbol
            offers = f"but {place} ends at {best}" if older else f"which {place} does not have"
            yield Finding(by, symbol, offers, self.adviser.symbol(symbol))

    def _use(self, place: str, elf: Elf) -> list[str]:
        """Note a library of the sysroot; returns the companions that it brings."""
        if place in self.used or place in self.files:
            return []
        self.used[place] = elf
        folder, name = posixpath.split(place)
        companions = COMPANIONS.get(name, ())
        if name == LIBC and NSS_INSIDE not in self._elf(place).defines:
            companions = (*companions, *NSS)
        brought = [f"{folder}/{companion}" for companion in companions]
        brought = [one for one in brought if self.fits(one, elf)]
        self.companions += brought
        return brought

    def _find(self, library: str, elf: Elf, folders: Iterable[str], libc: str | None) -> str | None:
        """The path of a library, in the release itself or as the loader looks for it.

        ld.so's cache holds the folders of ld.so.conf before the default ones (ldconfig(8)).
        """
        if "/" in library:
            return library if self.fits(library, elf) else None
        after = (*self.configured, *default_folders(elf.architecture))
        if libc == "musl":
            after = self._musl_folders()
        for folder in (*folders, *after):
            place = posixpath.normpath(f"{folder}/{library}")
            if self.fits(place, elf):
                return place
        return None

    def _musl_folders(self) -> tuple[str, ...]:
        """Those of `/etc/ld-musl-ARCH.path`, which takes the place of the built-in ones."""
        loader = (self.vm.interpreter if self.vm else None) or ""
        name = posixpath.basename(loader).removesuffix(".so.1")
        text = self.root.text(f"/etc/{name}.path") if name else None
        return tuple(text.replace("\n", ":").split(":")) if text else MUSL_FOLDERS

    def _elf(self, place: str) -> Elf:
        found = self._maybe_elf(place)
        assert found is not None, place
        return found

    def _maybe_elf(self, place: str) -> Elf | None:
        """The ELF file at a path of the image, if there is one; read once."""
        if place in self.files:
            return self.files[place]
        if place not in self._read:
            self._read[place] = self._read_elf(place)
        return self._read[place]

    def _read_elf(self, place: str) -> Elf | None:
        found = self.root.file(place)
        if found is None:
            return None
        with self.root.open(found[0]) as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None  # a linker script: in -dev packages, libc.so is one
            return read_elf(file, f"{self.root.name}: {place}")


def _expanded(folders: Iterable[str], path: str) -> tuple[str, ...]:
    """Folders of a RPATH or RUNPATH, with the place of the file that has it for `$ORIGIN`."""
    origin = posixpath.dirname(path)
    return tuple(
        folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for folder in folders
    )


def default_folders(architecture: str) -> tuple[str, ...]:
    """Where ld.so looks without being told, on Debian and on others."""
    triplet = TRIPLETS.get(architecture, architecture)
    return (
        *(f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64"),
        *("/lib", "/usr/lib"),
    )


def _configured(root: Sysroot) -> list[str]:
    """The folders of `/etc/ld.so.conf` and `/etc/ld.so.conf.d/*.conf`."""
    parts = [name for name in root.names("/etc/ld.so.conf.d") if name.endswith(".conf")]
    files = ["/etc/ld.so.conf", *(f"/etc/ld.so.conf.d/{name}" for name in parts)]
    texts = [root.text(file) or "" for file in files]
    lines = [line.partition("#")[0].strip() for text in texts for line in text.splitlines()]
    return [posixpath.normpath(line) for line in lines if line.startswith("/")]
