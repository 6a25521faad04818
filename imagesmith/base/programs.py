"""What of a release may run on a machine, as each file's first bytes tell: none is parsed yet."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagesmith.layer.member import FileMember, LinkMember, Member
from imagesmith.oci.spec import Json, Platform, digest_of, to_bytes

__all__ = ["MAGIC", "Programs", "find_programs"]

MAGIC = b"\x7fELF"
MACHO = {b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"}
MACHO_ARCHITECTURES = {0x01000007: "amd64", 0x0100000C: "arm64", 7: "386", 12: "arm"}
FAT = b"\xca\xfe\xba\xbe"  # Java's class files begin so too, but are not under priv as .so
PE = b"MZ"
SHEBANG = b"#!"

SCRIPTS = ("bin/", "releases/")
DOWNLOADS = "/priv/static/"
"""What an application hands to browsers runs somewhere else."""


@dataclass(frozen=True, slots=True)
class Programs:
    """By absolute path in the image: ELF files, links that lead to them, files for other systems
    with their platforms, and scripts with their interpreters.
    """

    elves: Mapping[str, FileMember]
    links: Mapping[str, str]
    foreign: Mapping[str, Platform]
    scripts: Mapping[str, str]

    @property
    def key(self) -> str:
        """Equal keys ask the same of a base: where a script lies makes no difference to it."""
        asked: dict[str, Json] = {
            "elves": {place: member.content.sha256 for place, member in self.elves.items()},
            "links": self.links,
            "foreign": {place: str(of) for place, of in self.foreign.items()},
            "scripts": sorted(set(self.scripts.values())),
        }
        return digest_of(to_bytes(asked))


def find_programs(members: Iterable[Member], root: str) -> Programs:
    """The programs among the members, which lie under the folder `root` in the image."""
    elves: dict[str, FileMember] = {}
    links: dict[str, str] = {}
    foreign: dict[str, Platform] = {}
    scripts: dict[str, str] = {}
    for member in members:
        place = f"/{root}/{member.path}"
        if isinstance(member, LinkMember):
            links[place] = posixpath.normpath(
                posixpath.join(posixpath.dirname(place), member.target)
            )
        elif isinstance(member, FileMember) and _may_run(member):
            head = member.content.head
            if head.startswith(MAGIC):
                elves[place] = member
            elif head.startswith(SHEBANG):
                if member.path.startswith(SCRIPTS):
                    line = _start(member)[len(SHEBANG) :].partition(b"\n")[0]
                    scripts[place] = line.decode(errors="replace").strip()
            elif head in MACHO or head == FAT or head.startswith(PE):
                platform = _foreign(_start(member))
                if platform:
                    foreign[place] = platform
    return Programs(elves, dict(_to_elves(links, elves)), foreign, scripts)


def _to_elves(links: Mapping[str, str], elves: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    for link, target in links.items():
        for _ in links:  # a link may lead to another
            if target not in links:
                break
            target = links[target]
        if target in elves:
            yield link, target


def _may_run(member: FileMember) -> bool:
    return not member.path.endswith((".beam", ".app")) and DOWNLOADS not in member.path


def _start(member: FileMember) -> bytes:
    return next(iter(member.content.stream()), b"")


def _foreign(data: bytes) -> Platform | None:
    """The platform of a Mach-O or PE file (Apple's loader.h; Microsoft's PE Format)."""
    if data[:4] in MACHO:
        kind = int.from_bytes(data[4:8], "little")
        return Platform(MACHO_ARCHITECTURES.get(kind, "unknown"), "darwin")
    if data[:4] == FAT and int.from_bytes(data[4:8], "big") < 20:
        return Platform("universal", "darwin")
    if data[:2] == PE:
        at = int.from_bytes(data[60:64], "little")
        machine = {0x8664: "amd64", 0xAA64: "arm64", 0x14C: "386"}.get(
            int.from_bytes(data[at + 4 : at + 6], "little")
        )
        return Platform(machine, "windows") if machine and data[at : at + 2] == b"PE" else None
    return None
