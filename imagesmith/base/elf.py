"""What an ELF file needs of the system under it, and what it offers to others.

ELF: System V gABI, "Program Loading and Dynamic Linking"; symbol versions: LSB Core, "Symbol
Versioning". Read by pyelftools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.sections import Section
from elftools.elf.segments import InterpSegment

from imagesmith.errors import BaseError
from imagesmith.oci.spec import Platform

__all__ = ["ARCHITECTURES", "MAGIC", "Elf", "read_elf"]

MAGIC = b"\x7fELF"

ARCHITECTURES = {
    "EM_386": "386",
    "EM_AARCH64": "arm64",
    "EM_ARM": "arm",
    "EM_LOONGARCH": "loong64",
    "EM_PPC64": "ppc64le",
    "EM_RISCV": "riscv64",
    "EM_S390": "s390x",
    "EM_X86_64": "amd64",
}
"""Machine names of the gABI, and Go's, which OCI uses (OCI "Image Configuration")."""

SYSTEMS = {
    "ELFOSABI_FREEBSD": "freebsd",
    "ELFOSABI_NETBSD": "netbsd",
    "ELFOSABI_OPENBSD": "openbsd",
    "ELFOSABI_SOLARIS": "solaris",
}
"""Who marks its files; Linux mostly does not (`ELFOSABI_SYSV`)."""

LIBC = "libc.so.6"
LOADABLE = ("ET_DYN", "ET_EXEC")

SECTIONS = frozenset({6, 0x6FFFFFFD, 0x6FFFFFFE})
"""Types of sections that tell of dynamic linking: DYNAMIC, GNU_verdef, GNU_verneed."""

VER_FLG_WEAK = 2
"""Of a wanted version: ld.so says nothing if it is not there (glibc, elf/dl-version.c)."""


@dataclass(frozen=True, slots=True)
class Elf:
    """The dynamic part of an ELF file.

    `needed` are the libraries' names; `wants` has, for each, the versions of symbols asked of it;
    `defines` are the versions that the file itself offers. `rpath` and `runpath`, the older and
    the newer way to name folders with libraries, may hold `$ORIGIN`. What is neither a program nor
    a library, such as an object file, is not `loadable`.
    """

    architecture: str
    system: str
    loadable: bool
    interpreter: str | None
    soname: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    wants: Mapping[str, frozenset[str]]
    defines: frozenset[str]

    @property
    def platform(self) -> Platform:
        """The platform that runs it."""
        return Platform(self.architecture, self.system)

    @property
    def libc(self) -> str | None:
        """The C library that it was linked with, `glibc` or `musl`; None if that does not show."""
        if self.interpreter:
            return "musl" if "/ld-musl-" in self.interpreter else "glibc"
        names = [name for name in self.needed if name.startswith(("libc.", "ld-linux"))]
        if any(name.startswith(("libc.musl-", "libc.so")) and name != LIBC for name in names):
            return "musl"
        return "glibc" if names else None


def read_elf(file: BinaryIO, place: str) -> Elf:
    """Read an ELF file. Raises BaseError, naming `place`, if it is damaged."""
    try:
        return _read(_DynamicPart(file))
    # pyelftools trusts the file's tables: what they hold when damaged ends in any of these.
    except (
        *(ELFError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
        *(ArithmeticError, MemoryError, RecursionError, OSError),
    ) as error:
        raise BaseError(f"{place}: this ELF file is damaged ({error})") from None


class _DynamicPart(ELFFile):
    """An ELF file without the sections that nothing is asked of.

    pyelftools goes through all of them for the names in the dynamic segment, and makes an object
    of each: most of the time that a file takes.
    """

    def iter_sections(self, type: str | None = None) -> Iterator[Section]:  # noqa: A002
        start, size, count = self["e_shoff"], self["e_shentsize"], self.num_sections()
        if start + size * count > self.stream_len:
            raise ELFError("its section headers lie behind its end")
        self.stream.seek(start)
        table = self.stream.read(size * count)
        order: Literal["little", "big"] = "little" if self.little_endian else "big"
        for number in range(count):
            at = (
                number * size + 4
            )  # sh_type follows the name's offset, a word (Elf32_Shdr, Elf64_Shdr)
            if int.from_bytes(table[at : at + 4], order) in SECTIONS:
                section = self.get_section(number)
                if type in (None, section["sh_type"]):
                    yield section


def _read(elf: ELFFile) -> Elf:
    interpreter = None
    # pyelftools gives a tag of text its text as an attribute named after it.
    texts: dict[str, list[str]] = {"needed": [], "rpath": [], "runpath": [], "soname": []}
    for segment in elf.iter_segments():
        if isinstance(segment, InterpSegment):
            interpreter = segment.get_interp_name()
        elif isinstance(segment, DynamicSegment):
            for tag in segment.iter_tags():
                name = str(tag.entry.d_tag).removeprefix("DT_").lower()
                if name in texts:
                    texts[name].append(str(getattr(tag, name)))
    wants: dict[str, frozenset[str]] = {}
    defines: set[str] = set()
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for library, versions in section.iter_versions():
                wanted = (one for one in versions if not one["vna_flags"] & VER_FLG_WEAK)
                wants[str(library.name)] = frozenset(str(version.name) for version in wanted)
        elif isinstance(section, GNUVerDefSection):
            for _, names in section.iter_versions():
                defines.add(str(next(iter(names)).name))
    soname = texts["soname"][0] if texts["soname"] else None
    machine = str(elf["e_machine"])
    return Elf(
        ARCHITECTURES.get(machine, machine),
        SYSTEMS.get(str(elf["e_ident"]["EI_OSABI"]), "linux"),
        elf["e_type"] in LOADABLE,
        interpreter,
        soname,
        tuple(texts["needed"]),
        _folders(texts["rpath"]),
        _folders(texts["runpath"]),
        wants,
        frozenset(defines),
    )


def _folders(paths: list[str]) -> tuple[str, ...]:
    return tuple(folder for path in paths for folder in path.split(":") if folder)
