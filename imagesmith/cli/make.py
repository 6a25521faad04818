"""One release, from where it lies to a finished image: the whole way, in its order."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from imagesmith.base.resolve import Fetch, SystemErlang, resolve_base
from imagesmith.beam.archive import open_tree
from imagesmith.beam.origin import find_project
from imagesmith.beam.release import Release, read_release
from imagesmith.cli.describe import check_platform
from imagesmith.errors import UsageError
from imagesmith.image.cattle import ROOT, cattle_image, plan_cattle
from imagesmith.image.pet import pet_image, plan_pet
from imagesmith.image.warnings import notes, warnings
from imagesmith.layer.build import build_layer
from imagesmith.layer.files import strippable_bytes
from imagesmith.oci.reference import is_repository
from imagesmith.oci.spec import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from imagesmith.base.base import Base
    from imagesmith.cli.append import Appends
    from imagesmith.cli.find import Found
    from imagesmith.cli.progress import Progress
    from imagesmith.image.image import Image
    from imagesmith.layer.layer import Layer
    from imagesmith.layer.split import LayerPlan
    from imagesmith.layer.store import Store
    from imagesmith.recipe import Recipe

    Check = Callable[[Release, Sequence[LayerPlan]], None]

__all__ = ["Maker", "read"]


def read(recipe: Recipe, found: Found) -> Release:
    """The release, with what its project and the recipe say of its applications.

    With `versioning: auto` its versions are those of its code.
    """
    project = find_project(found.beside)
    release = read_release(open_tree(found.path), own=recipe.layers.own, project=project)
    if recipe.pet.versioning == "manual":
        return release
    from imagesmith.plan.versions import automatic

    return read_release(automatic(release), own=recipe.layers.own, project=project)


@dataclass(frozen=True, slots=True)
class Maker:
    """What the images of one build are made with.

    Layers come from the `store`, bases by `fetch`; what is found out of a base is kept in the
    folder `cache`. `onto` knows the earlier images of `--append-to`. The `annotations` are the
    user's; `platform` is what every release has to be for, if it matters.
    """

    store: Store
    telling: Progress
    fetch: Fetch
    cache: Path | None
    onto: Appends | None = None
    pet: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None

    def image(self, recipe: Recipe, found: Found, check: Check | None = None) -> Image:
        """Read, warn, plan, find the base, build what the store lacks, put it together.

        `check` may refuse the release, before any layer of it is written.
        """
        release, telling = read(recipe, found), self.telling
        name = (found.name or release.name).lower()
        if not is_repository(name):
            raise UsageError(
                f"{release.name}: an image cannot be named after this release",
                hint="Give it a name in the recipe: `name: shop`.",
            )
        for note in notes(release):
            telling.note(f"{release.name}: {note}")
        cattle = plan_cattle(release, recipe)
        if check:
            check(release, cattle)
        base = self._base(release, recipe, cattle)
        check_platform(self.platform, base.platform, release.name)
        for warning in (*warnings(release, recipe.env), *base.warnings):
            telling.warn(f"{release.name}: {warning}")
        plans = [*cattle, plan_pet(release, recipe, cattle)] if self.pet else cattle
        base, layers = self._layers(name, release, base, plans)
        _tell_of_stripping(recipe, release, telling)
        make = pet_image if self.pet else cattle_image
        image = make(
            release,
            recipe,
            base,
            layers,
            name=name,
            created=_created(),
            annotations=self.annotations,
        )
        telling.image(image, base.description, found.path)
        return image

    def _base(self, release: Release, recipe: Recipe, plans: Iterable[LayerPlan]) -> Base:
        erlang = SystemErlang(release.erts_version, release.from_base)
        return resolve_base(
            recipe.base,
            [member for plan in plans for member in plan.members],
            ROOT,
            self.store,
            fetch=self.fetch,
            erlang=None if release.has_erts else erlang,
            cache=self.cache,
            pet=self.pet,
        )

    def _layers(
        self, name: str, release: Release, base: Base, plans: Sequence[LayerPlan]
    ) -> tuple[Base, Sequence[Layer]]:
        if self.onto:
            stack = self.onto.layers(name, release.version, plans, base, self.store)
            if stack:
                for layer in (*stack[0].layers, *stack[1]):
                    self.telling.layer(layer)
                return stack
        for layer in base.layers:
            self.telling.layer(layer)
        layers = []
        for plan in plans:
            layers.append(build_layer(plan, self.store))
            self.telling.layer(layers[-1])
        return base, layers


def _tell_of_stripping(recipe: Recipe, release: Release, telling: Progress) -> None:
    if not recipe.layers.canonical or recipe.layers.strip != "auto":
        return
    saved = strippable_bytes(release)
    if saved:
        telling.note(
            f"{release.name} is not stripped; `layers: {{strip: always}}` would take "
            f"{saved / 1_000_000:.1f} MB of debug information and docs out of its modules"
        )


def _created() -> str:
    """The image's time: SOURCE_DATE_EPOCH (reproducible-builds.org), or a constant."""
    given = os.environ.get("SOURCE_DATE_EPOCH") or str(EPOCH)
    try:
        return datetime.fromtimestamp(int(given), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH={given}: this is no number of seconds since 1970",
            hint="Unset it, or use `git log -1 --format=%ct`.",
        ) from None
