"""What of a release a machine runs: its ELF files, files for other systems, its scripts."""

from __future__ import annotations

import platform as machine
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from imagesmith.base.elf import ARCHITECTURES, Elf, read_elf
from imagesmith.base.programs import Programs, find_programs
from imagesmith.errors import ReleaseError
from imagesmith.layer.member import FileMember, Member
from imagesmith.oci.spec import Platform

__all__ = ["Binaries", "read_binaries", "read_programs"]

VM_NAMES = ("/bin/beam.smp", "/bin/beam.smp.dll")
THIS = {"aarch64": "arm64", "x86_64": "amd64"}
IN_MEMORY_BYTES = 16 << 20
PLATFORM_WORDS = re.compile(
    r"(?<![a-z0-9])(?:lib|linux|linux32|linux64|gnu|glibc|musl|gnueabihf|musleabihf|gnueabi|unknown|"
    r"pc|apple|darwin|macos|osx|mac|windows|win|win32|win64|msvc|mingw|freebsd|"
    r"x86_64|x86-64|x86|x64|amd64|i386|i686|ia32|386|aarch64|arm64|armv6|armv7|armhf|armv7l|arm|"
    r"riscv64|riscv64gc|ppc64le|powerpc64le|s390x|loong64|universal)(?![a-z0-9])"
)
"""Words of a path that tell for which platform a prebuilt file is."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """By absolute path in the image: ELF files and links to them for the VM's own platform;
    the platforms of those that no other file stands in for; scripts, with their interpreters.

    `vm` is the path of beam.smp, None in a release without ERTS.
    """

    platform: Platform
    vm: str | None = None
    files: Mapping[str, Elf] = field(default_factory=dict)
    strangers: Mapping[str, Platform] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)


def _read_elf(member: FileMember) -> Elf:
    """Its tables lie anywhere in the file, and a NIF may be larger than the memory we want."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
        for chunk in member.content.stream():
            file.write(chunk)
        return read_elf(cast(BinaryIO, file), member.path)


def read_binaries(members: Iterable[Member], root: str) -> Binaries:
    """The binaries among the members, which lie under the folder `root` in the image.

    Raises ReleaseError for a VM that is not for Linux, BaseError for a damaged ELF file.
    """
    return read_programs(find_programs(members, root))


def read_programs(programs: Programs) -> Binaries:
    """As `read_binaries`, of programs that were found already."""
    elves: dict[str, Elf] = {}
    for place, member in programs.elves.items():
        elf = _read_elf(member)
        if elf.loadable:
            elves[place] = elf
    elves |= {link: elves[target] for link, target in programs.links.items() if target in elves}
    others = dict(programs.foreign)
    others |= {path: elf.platform for path, elf in elves.items() if elf.system != "linux"}
    vm = next((path for path in sorted({*elves, *others}) if path.endswith(VM_NAMES)), None)
    if vm in others:
        raise ReleaseError(
            f"the release is for {others[vm]}: that is what its beam.smp is for",
            hint="An image runs on Linux: build the release there, or in a container, or let "
            "`source:` build it.",
        )
    platform = elves[vm].platform if vm else _only([elf.platform for elf in elves.values()])
    return Binaries(
        platform,
        vm,
        {path: elf for path, elf in elves.items() if elf.platform == platform},
        _strangers(elves, others, platform),
        programs.scripts,
    )


def _only(platforms: Iterable[Platform]) -> Platform:
    """The platform of a release without a VM: that on which all its files agree, or this one."""
    found = set(platforms)
    name = machine.machine()
    return found.pop() if len(found) == 1 else Platform(THIS.get(name, name))


def _strangers(
    elves: Mapping[str, Elf], others: Mapping[str, Platform], platform: Platform
) -> dict[str, Platform]:
    """Files for other platforms, but for those that come beside one of ours.

    Prebuilt programs lie in priv for every platform, and the application picks its own: so
    `priv/linux-arm64/tool` is nothing to worry about where there is a `priv/linux-x64/tool`.
    What runs under no operating system (firmware, eBPF) is no stranger either, nor is Windows',
    whose names for NIFs a VM on Linux never asks for.
    """
    here = {_stem(path) for path, elf in elves.items() if elf.platform == platform}
    known = set(ARCHITECTURES.values())
    found = {
        path: elf.platform
        for path, elf in elves.items()
        if elf.platform != platform and elf.architecture in known
    } | dict(others)
    return {
        path: of for path, of in found.items() if _stem(path) not in here and of.os != "windows"
    }


def _stem(path: str) -> str:
    """A path without what tells its platform, version or file type."""
    folder, _, name = path.lower().rpartition("/")
    name = re.sub(r"\.(?:so|dylib|dll|exe)\b.*", "", name)
    words = PLATFORM_WORDS.sub(" ", f"{folder}/{name.removeprefix('lib')}")
    return " ".join(re.findall(r"[a-z0-9]+", words))
