"""From the recipe's `base:` to layers that are known to carry the release."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.base.binaries import Binaries, read_binaries
from imagesmith.base.check import PATH, SystemErlang, check, shells, strangers
from imagesmith.base.finding import refuse
from imagesmith.base.imageroot import ImageRoot
from imagesmith.base.layout import layout_base
from imagesmith.base.minimal import plan_minimal, warnings
from imagesmith.base.sysroot import FolderRoot, Sysroot
from imagesmith.errors import ReleaseError, UsageError
from imagesmith.layer.build import build_layer
from imagesmith.layer.member import Member
from imagesmith.layer.store import Store
from imagesmith.oci.spec import Platform
from imagesmith.recipe import Base as BaseRecipe
from imagesmith.recipe import DockerfileBase, LayoutBase, MinimalBase, ReferenceBase

__all__ = ["Fetch", "SystemErlang", "check_base", "resolve_base"]

Fetch = Callable[[ReferenceBase | DockerfileBase, Platform], Base]
"""Gets the image of a reference, or builds a Dockerfile's: what needs a BuildKit."""


def resolve_base(
    wanted: BaseRecipe,
    members: Iterable[Member],
    root: str,
    store: Store,
    *,
    fetch: Fetch | None = None,
    erlang: SystemErlang | None = None,
) -> Base:
    """The base for a release whose files are `members`, under the folder `root`.

    `fetch` serves the forms that need BuildKit; `erlang` is what a release without ERTS wants of
    its base. Raises BaseError if the base cannot carry the release, UsageError for a form that
    there is no way to get.
    """
    binaries = read_binaries(members, root)
    if binaries.vm is None and erlang is None:
        raise ReleaseError(
            "the release has no erts-VSN/bin/beam.smp for Linux",
            hint="Build the release on Linux, for the machine that the image is for.",
        )
    platform = binaries.platform
    if isinstance(wanted, MinimalBase):
        if erlang:
            raise UsageError(
                "base: a minimal base brings no Erlang, and neither does the release",
                hint="Use a base with Erlang, or `include_erts: true` in mix.exs or rebar.config.",
            )
        with _sysroot(wanted.sysroot, platform, fetch) as sysroot:
            found = _minimal(sysroot, binaries, platform, store)
            if not isinstance(wanted.sysroot, Path):
                # What an image holds can be read here only, should a blob have to be written again.
                for layer in found.layers:
                    layer.open().close()
            return found
    base = _image(wanted, platform, fetch)
    check_base(base, binaries, erlang=erlang)
    return base


def check_base(base: Base, binaries: Binaries, *, erlang: SystemErlang | None = None) -> None:
    """Raise BaseError with everything that keeps the release from running on an image."""
    name = f"base {base.description}"
    with ImageRoot(base.layers, name) as root:
        findings = check(root, binaries, path=base.env.get("PATH", PATH), erlang=erlang)
    refuse(findings, f"the {name}")


def _minimal(sysroot: Sysroot, binaries: Binaries, platform: Platform, store: Store) -> Base:
    plans = plan_minimal(
        sysroot,
        binaries.files,
        vm=binaries.vm or "",
        shells=shells(binaries.scripts),
        findings=strangers(binaries),
    )
    layers = tuple(build_layer(plan, store) for plan in plans)
    description = f"minimal, from the {sysroot.name}"
    return Base(layers, platform, description, warnings=warnings(sysroot))


@contextmanager
def _sysroot(
    place: Path | LayoutBase | ReferenceBase, platform: Platform, fetch: Fetch | None
) -> Iterator[Sysroot]:
    if isinstance(place, Path):
        yield FolderRoot(place)
        return
    image = _image(place, platform, fetch)
    with ImageRoot(image.layers, f"sysroot {image.description}") as root:
        yield root


def _image(
    wanted: LayoutBase | ReferenceBase | DockerfileBase, platform: Platform, fetch: Fetch | None
) -> Base:
    if isinstance(wanted, LayoutBase):
        return layout_base(wanted.path, wanted.digest, platform)
    if fetch is None:
        raise UsageError(
            "base: an image reference or a Dockerfile needs BuildKit",
            hint="Use minimal, {minimal: {sysroot: DIR}} or oci:DIR.",
        )
    return fetch(wanted, platform)
