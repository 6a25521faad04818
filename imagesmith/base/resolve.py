"""From the recipe's `base:` to layers."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.base.elf import MAGIC, Elf, read_elf
from imagesmith.base.layout import layout_base
from imagesmith.base.minimal import plan_minimal
from imagesmith.base.sysroot import Sysroot
from imagesmith.errors import ReleaseError, UsageError
from imagesmith.layer.build import build_layer
from imagesmith.layer.member import FileMember, LinkMember, Member
from imagesmith.layer.store import Store
from imagesmith.oci.spec import Platform
from imagesmith.recipe import Base as BaseRecipe
from imagesmith.recipe import LayoutBase, MinimalBase, ReferenceBase

__all__ = ["resolve_base"]


def resolve_base(wanted: BaseRecipe, native: Iterable[Member], root: str, store: Store) -> Base:
    """The base for a release whose native files are `native`, under the folder `root`.

    Raises BaseError if it cannot carry the release, UsageError for a form that needs BuildKit.
    """
    files = _elves(native, root)
    platform = _platform(files)
    match wanted:
        case LayoutBase(path=path, digest=digest):
            return layout_base(path, digest, platform)
        case MinimalBase(sysroot=LayoutBase() | ReferenceBase()):
            raise _unsupported("a sysroot that is an image", "a folder: sysroot: DIR")
        case MinimalBase(sysroot=Path() as folder):
            runnable = {path: elf for path, elf in files.items() if elf.platform == platform}
            plans = plan_minimal(Sysroot(folder), runnable)
            layers = tuple(build_layer(plan, store) for plan in plans)
            return Base(layers, platform, f"minimal, from the sysroot {folder}")
        case _:
            raise _unsupported("this base", "minimal, {minimal: {sysroot: DIR}} or oci:DIR")


def _unsupported(what: str, instead: str) -> UsageError:
    return UsageError(
        f"base: {what} needs the BuildKit engine, which this version does not have yet",
        hint=f"Use {instead}.",
    )


def _elves(native: Iterable[Member], root: str) -> dict[str, Elf]:
    """The ELF files among the members, and links to them, by absolute path in the image."""
    found: dict[str, Elf] = {}
    links: dict[str, str] = {}
    for member in native:
        place = f"/{root}/{member.path}"
        if isinstance(member, FileMember):
            data = member.content.read()
            if data.startswith(MAGIC):
                found[place] = read_elf(io.BytesIO(data), member.path)
        elif isinstance(member, LinkMember):
            links[place] = posixpath.join(posixpath.dirname(place), member.target)
    for link, target in links.items():
        for _ in links:  # a link may lead to another
            target = links.get(posixpath.normpath(target), target)
        if posixpath.normpath(target) in found:
            found[link] = found[posixpath.normpath(target)]
    return found


def _platform(files: Mapping[str, Elf]) -> Platform:
    """The platform of the VM itself; a NIF's priv may hold files for others as well."""
    for path, elf in sorted(files.items()):
        if path.endswith("/bin/beam.smp"):
            return elf.platform
    raise ReleaseError(
        "the release has no erts-VSN/bin/beam.smp for Linux",
        hint="Build the release on Linux, for the machine that the image is for.",
    )
