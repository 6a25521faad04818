"""What an ELF file needs of the system under it, and what it offers to others.

ELF: System V gABI, "Program Loading and Dynamic Linking"; symbol versions: LSB Core, "Symbol
Versioning". Read by pyelftools.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.segments import InterpSegment

from imagesmith.errors import BaseError
from imagesmith.oci.spec import Platform

__all__ = ["Elf", "read_elf"]

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


@dataclass(frozen=True, slots=True)
class Elf:
    """The dynamic part of an ELF file.

    `needed` are the libraries' names; `wants` has, for each, the versions of symbols asked of it;
    `defines` are the versions that the file itself offers. `run_paths` may hold `$ORIGIN`.
    """

    architecture: str
    interpreter: str | None
    needed: tuple[str, ...]
    run_paths: tuple[str, ...]
    wants: Mapping[str, frozenset[str]]
    defines: frozenset[str]

    @property
    def platform(self) -> Platform:
        """The platform that runs it."""
        return Platform(self.architecture)


def read_elf(file: BinaryIO, place: str) -> Elf:
    """Read an ELF file. Raises BaseError, naming `place`, if it is damaged."""
    try:
        return _read(ELFFile(file))
    # pyelftools trusts the file's tables: what they hold when damaged ends in any of these.
    except (ELFError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise BaseError(f"{place}: this ELF file is damaged ({error})") from None


def _read(elf: ELFFile) -> Elf:
    machine = elf["e_machine"]
    interpreter = None
    needed: list[str] = []
    run_paths: list[str] = []
    for segment in elf.iter_segments():
        if isinstance(segment, InterpSegment):
            interpreter = segment.get_interp_name()
        elif isinstance(segment, DynamicSegment):
            for tag in segment.iter_tags():
                # pyelftools gives such a tag its text as an attribute named after it.
                match tag.entry.d_tag:
                    case "DT_NEEDED":
                        needed.append(str(getattr(tag, "needed")))  # noqa: B009
                    case "DT_RUNPATH":
                        run_paths += str(getattr(tag, "runpath")).split(":")  # noqa: B009
                    case "DT_RPATH":
                        run_paths += str(getattr(tag, "rpath")).split(":")  # noqa: B009
    wants: dict[str, frozenset[str]] = {}
    defines: set[str] = set()
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for library, versions in section.iter_versions():
                wants[str(library.name)] = frozenset(str(version.name) for version in versions)
        elif isinstance(section, GNUVerDefSection):
            for _, names in section.iter_versions():
                defines.add(str(next(iter(names)).name))
    return Elf(
        ARCHITECTURES.get(machine, str(machine)),
        interpreter,
        tuple(needed),
        tuple(run_paths),
        wants,
        frozenset(defines),
    )
