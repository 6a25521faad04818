"""From the recipe's `base:` to layers that are known to carry the release.

To find that out takes longer than all the rest of an unchanged build, so the answer is kept in the
cache folder (`Memo`). It holds for what the release asks of a base (`Programs`) and for what the
base is: an image is its layers, a folder is every path of it that was looked at (`Witness`). What
finds the answer is imported only where none is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.base.base import PATH, Base, SystemErlang
from imagesmith.base.layout import layout_base
from imagesmith.base.programs import Programs, find_programs
from imagesmith.base.remembered import remembered_plans, to_remember
from imagesmith.base.sysroot import FolderRoot, Sysroot
from imagesmith.base.witness import Witness, is_unchanged
from imagesmith.beam.module import SCHEME
from imagesmith.errors import ReleaseError, UsageError
from imagesmith.layer.build import build_layer
from imagesmith.layer.member import Member
from imagesmith.layer.split import Plan
from imagesmith.layer.store import Store
from imagesmith.layer.tar import WRITER
from imagesmith.memo import MEMOS, Memo, edition
from imagesmith.oci.spec import Json, Platform, array, object_of, string
from imagesmith.recipe import Base as BaseRecipe
from imagesmith.recipe import DockerfileBase, LayoutBase, MinimalBase, ReferenceBase

if TYPE_CHECKING:
    from imagesmith.base.binaries import Binaries

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
    cache: Path | None = None,
    pet: bool = False,
) -> Base:
    """The base for a release whose files are `members`, under the folder `root`.

    `fetch` serves the forms that need BuildKit; `erlang` is what a release without ERTS wants of
    its base; `cache` is the folder where what was found out is kept; `pet` is whether the image
    takes upgrades. Raises BaseError if the base cannot carry the release, UsageError for a form
    that there is no way to get.
    """
    memo = Memo(cache and cache / MEMOS, SCHEME, WRITER, edition(Path(__file__).parent))
    release = _Release(find_programs(members, root), erlang, memo)
    platform = release.platform
    if isinstance(wanted, MinimalBase):
        if erlang:
            raise UsageError(
                "base: a minimal base brings no Erlang, and neither does the release",
                hint="Use a base with Erlang, or `include_erts: true` in mix.exs or rebar.config.",
            )
        if isinstance(wanted.sysroot, Path):
            return _of_folder(FolderRoot(wanted.sysroot), release, store, memo)
        return _of_image(_image(wanted.sysroot, platform, fetch), release, store, memo)
    base = _image(wanted, platform, fetch)
    asked: list[Json] = ["check", release.programs.key, _diff_ids(base), base.env.get("PATH")]
    if erlang:
        asked += [erlang.erts_version, list(map(list, erlang.applications))]
    if pet:
        asked.append("pet")
    if memo.recall(*asked) is None:
        check_base(base, release.binaries, erlang=erlang, pet=pet)
        memo.keep({}, *asked)
    return base


def check_base(
    base: Base, binaries: Binaries, *, erlang: SystemErlang | None = None, pet: bool = False
) -> None:
    """Raise BaseError with everything that keeps the release from running on an image."""
    from imagesmith.base.check import check
    from imagesmith.base.finding import refuse
    from imagesmith.base.imageroot import ImageRoot

    name = f"base {base.description}"
    with ImageRoot(base.layers, name) as root:
        findings = check(root, binaries, path=base.env.get("PATH", PATH), erlang=erlang, pet=pet)
    refuse(findings, f"the {name}")


class _Release:
    """The release as a base sees it; its ELF files are read when somebody asks what is in them."""

    def __init__(self, programs: Programs, erlang: SystemErlang | None, memo: Memo) -> None:
        self.programs = programs
        self._erlang = erlang
        self._memo = memo

    @cached_property
    def binaries(self) -> Binaries:
        """Raises ReleaseError if there is no VM, nor one wanted of the base."""
        from imagesmith.base.binaries import read_programs

        found = read_programs(self.programs)
        if found.vm is None and self._erlang is None:
            raise ReleaseError(
                "the release has no erts-VSN/bin/beam.smp for Linux",
                hint="Build the release on Linux, for the machine that the image is for.",
            )
        return found

    @cached_property
    def platform(self) -> Platform:
        """That of its VM; raises as `binaries`."""
        asked = ("platform", self.programs.key)
        known = self._memo.recall(*asked)
        if known:
            return Platform(string(known["architecture"], "memo"), string(known["os"], "memo"))
        found = self.binaries.platform
        if self.binaries.vm:
            self._memo.keep({"architecture": found.architecture, "os": found.os}, *asked)
        return found


def _of_folder(folder: FolderRoot, release: _Release, store: Store, memo: Memo) -> Base:
    """The minimal base from a folder, remembered as long as all that was looked at is unchanged."""
    asked = ("minimal", release.programs.key, str(folder.root))

    def plan() -> _Planned:
        witness = Witness(folder)
        planned = _plan(witness, release.binaries)
        if seen := witness.testimony():
            memo.keep({**planned.to_remember(), "seen": seen}, *asked)
        return planned

    known = memo.recall(*asked)
    if known and not is_unchanged(folder, object_of(known.get("seen"), "memo")):
        known = None
    return _minimal(known, plan, release, store, folder.name)


def _of_image(image: Base, release: _Release, store: Store, memo: Memo) -> Base:
    """The minimal base from an image, which is unpacked only where nothing is remembered of it."""
    name = f"sysroot {image.description}"
    asked = ("minimal", release.programs.key, _diff_ids(image))

    def plan() -> _Planned:
        from imagesmith.base.imageroot import ImageRoot

        # Not closed here: a layer may be written later than this. Its file has no name, and ends
        # with the last of those that may want it.
        planned = _plan(ImageRoot(image.layers, name), release.binaries)
        memo.keep(planned.to_remember(), *asked)
        return planned

    return _minimal(memo.recall(*asked), plan, release, store, name)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A minimal base's layers, and what the user has to know of it."""

    plans: Sequence[Plan]
    warnings: tuple[str, ...]

    def to_remember(self) -> dict[str, Json]:
        return {"layers": to_remember(self.plans), "warnings": list(self.warnings)}


def _minimal(
    known: Mapping[str, Json] | None,
    plan: Callable[[], _Planned],
    release: _Release,
    store: Store,
    name: str,
) -> Base:
    if known:
        said = array(known.get("warnings"), "memo")
        plans = remembered_plans(known["layers"], lambda: plan().plans)
        planned = _Planned(plans, tuple(string(text, "memo") for text in said))
    else:
        planned = plan()
    layers = tuple(build_layer(plan, store) for plan in planned.plans)
    description = f"minimal, from the {name}"
    return Base(layers, release.platform, description, warnings=planned.warnings)


def _plan(sysroot: Sysroot, binaries: Binaries) -> _Planned:
    from imagesmith.base.check import shells, strangers
    from imagesmith.base.minimal import plan_minimal, warnings

    plans = plan_minimal(
        sysroot,
        binaries.files,
        vm=binaries.vm or "",
        shells=shells(binaries.scripts),
        findings=strangers(binaries),
    )
    return _Planned(plans, warnings(sysroot))


def _diff_ids(base: Base) -> list[Json]:
    return [layer.diff_id for layer in base.layers]


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
