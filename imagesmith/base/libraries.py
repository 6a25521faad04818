"""The loader and the shared libraries that a release's files open, as members of a layer."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field

from imagesmith.base.elf import LIBC, Elf
from imagesmith.base.loader import Loader, default_folders
from imagesmith.layer.member import LinkMember, Member

__all__ = ["Libraries", "gather"]


@dataclass(frozen=True, slots=True)
class Libraries:
    """What was gathered: members by path, and the files' real paths in the sysroot."""

    members: dict[str, Member] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def gather(loader: Loader) -> Libraries:
    """Everything of the sysroot that a loader opened, once it has loaded all files."""
    found = Libraries()
    for place in dict.fromkeys([*loader.loaders, *loader.used, *loader.companions]):
        members = loader.root.members(place)
        if members:
            found.members.update((member.path, member) for member in members)
            found.taken.add(f"/{members[-1].path}")
    for place, elf in loader.used.items():
        folder = posixpath.dirname(place)
        if folder in loader.configured and folder not in default_folders(elf.architecture):
            for link in _links_from_default_folder(loader, place, elf):
                found.members.setdefault(link.path, link)
    return found


def _links_from_default_folder(loader: Loader, place: str, elf: Elf) -> list[LinkMember]:
    """Make a library findable that only ld.so's cache knew: the image has no such cache.

    The link goes to where the C library lies: there this system's loader looks unasked.
    """
    defaults = default_folders(elf.architecture)
    beside = [folder for folder in defaults if loader.fits(f"{folder}/{LIBC}", elf)]
    folder = beside[0] if beside else defaults[1]
    real, links = loader.root.resolve(folder) or (folder, [])
    return [*links, LinkMember(f"{real}/{posixpath.basename(place)}"[1:], place)]
