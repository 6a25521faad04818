"""Both modes of both versions, built as `build` would, each build timed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.base.fetch import fetcher
from imagesmith.cli.bundle import BundlePlace, UpgradeMaker
from imagesmith.cli.find import Found
from imagesmith.cli.make import Maker, read
from imagesmith.compare.cost import BuildTimes, cost, unsent
from imagesmith.compare.scenario import Life
from imagesmith.docker.access import NO_ACCESS
from imagesmith.engine.choose import choose_engine
from imagesmith.engine.engine import Delivery, LayoutOutput, LoadOutput
from imagesmith.engine.name import EngineName
from imagesmith.errors import UsageError
from imagesmith.layer.cache import Cache
from imagesmith.layer.running import running
from imagesmith.layer.store import Scratch
from imagesmith.oci.blobs import BlobDir
from imagesmith.plan.code import Running
from imagesmith.plan.plan import Plan, make_plan
from imagesmith.plan.reason import Verdict
from imagesmith.upgrade.before import release_before
from imagesmith.upgrade.bundle import Bundle, open_bundle

if TYPE_CHECKING:
    from imagesmith.beam.release import Release
    from imagesmith.cli.progress import Progress
    from imagesmith.compare.comparison import Cost
    from imagesmith.image.image import Image
    from imagesmith.oci.registry import Registry
    from imagesmith.recipe import Recipe

__all__ = ["Builder", "Built", "Sides"]


@dataclass(frozen=True, slots=True)
class Sides:
    """OLD and NEW as releases to build, and what leads from one to the other."""

    old: Found
    new: Found
    before: Release
    after: Release
    plan: Plan

    @classmethod
    def of(cls, recipe: Recipe, old: Path, new: Path, name: str | None) -> Sides:
        """Read and plan. Raises UsageError for two that are one, or no two versions."""
        found = [Found(name, path, path) for path in (old, new)]
        if old.resolve() == new.resolve():
            raise UsageError(
                f"compare: OLD and NEW are one and the same release, {old}: "
                "there is no change to compare",
                hint="Build the change, and name its release with `--to`.",
            )
        before, after = (read(recipe, item) for item in found)
        plan = make_plan(Running(before), Running(after), recipe.pet.appups)
        if before.name != after.name:
            raise UsageError(
                f"compare: {old} is the release {before.name}, {new} is {after.name}",
                hint="Name two versions of one release.",
            )
        if plan.is_same:
            raise UsageError(
                f"compare: {old} and {new} hold the same code and configuration, "
                f"{before.name} {before.version}: there is no change to compare",
                hint="Build the change, and name its release with `--to`.",
            )
        if before.version == after.version:
            raise UsageError(
                f"compare: both releases are {before.name} {before.version}, though they differ",
                hint="Give NEW another version, or set `pet: {versioning: auto}` in the recipe.",
            )
        return cls(found[0], found[1], before, after, plan)


@dataclass(frozen=True, slots=True)
class Built:
    """References of the loaded images, by life and version; none where no Docker answers. There is
    no bundle where the change cannot go hot."""

    images: Mapping[Life, Mapping[str, str]]
    bundle: Bundle | None
    costs: Mapping[Life, Cost]


@dataclass(frozen=True, slots=True)
class _Pair:
    old: Image
    new: Image
    references: tuple[str, str]
    times: BuildTimes
    bundle: Bundle | None


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds into `scratch`, with a layer cache of its own for each life, so that both begin cold.

    The images go into Docker, and have names that begin with `tags`; where that is None they go
    into layouts in `scratch`.
    """

    recipe: Recipe
    sides: Sides
    scratch: Path
    telling: Progress
    registry: Registry
    tags: str | None

    def build(self, *, deploys: int, hosts: int) -> Built:
        """Build all. Raises what `imagesmith build` raises."""
        pairs = {life: self._pair(life) for life in Life}
        costs = {}
        for life, pair in pairs.items():
            old, new = (
                [source.descriptor for source in item.blobs()] for item in (pair.old, pair.new)
            )
            to_registry = to_host = unsent(new, old)
            if pair.bundle:
                blobs = [source.descriptor for source in pair.bundle.blobs()]
                to_registry += unsent([*blobs, pair.bundle.descriptor], [*old, *new])
                to_host = pair.bundle.facts.size
            costs[life] = cost(
                pair.new.size, pair.times, to_registry, to_host, deploys=deploys, hosts=hosts
            )
        versions = (self.sides.before.version, self.sides.after.version)
        images = {
            life: dict(zip(versions, pair.references, strict=True)) if self.tags else {}
            for life, pair in pairs.items()
        }
        return Built(images, pairs[Life.PET].bundle, costs)

    def _pair(self, life: Life) -> _Pair:
        folder = Path(tempfile.mkdtemp(prefix=f"{life.value}-", dir=self.scratch))
        cache = Cache(folder, Scratch(self.scratch), self.telling.note)
        with running(cache.folder):
            upgrade = None
            if life is Life.PET and self.sides.plan.verdict is Verdict.HOT:
                before = release_before(self.sides.before, self.recipe)
                upgrade = UpgradeMaker(before, self.recipe, self.scratch, self.telling)
            _, _, cold = self._one(life, self.sides.old, cache)
            old, first, unchanged = self._one(life, self.sides.old, cache)
            new, second, changed = self._one(life, self.sides.new, cache, upgrade)
            bundle = None
            if upgrade:
                began = time.monotonic()
                place = BundlePlace(folder / "bundle.tar")
                upgrade.write(place, new, new.digest, [], cache, lambda: self.registry)
                changed += time.monotonic() - began
                blobs = BlobDir(folder / "bundle")
                bundle = open_bundle(str(place.path), lambda: self.registry, blobs)
        times = BuildTimes(cold, unchanged, changed)
        return _Pair(old, new, (first, second), times, bundle)

    def _one(
        self, life: Life, found: Found, cache: Cache, upgrade: UpgradeMaker | None = None
    ) -> tuple[Image, str, float]:
        """One build: the image, its reference, and how many seconds it took."""
        began = time.monotonic()
        pet = life is Life.PET
        fetch = fetcher(cache.folder, lambda: self.registry, self.telling.log, NO_ACCESS)
        maker = Maker(cache, self.telling, fetch, cache.folder, pet=pet)
        image = maker.image(self.recipe, found, upgrade.check if upgrade else None)
        if upgrade:
            upgrade.finish(image)
        version = image.version.replace("+", "-")
        tag = f"{self.tags or 'compare'}/{image.name}:{version}-{life.value}"
        output = LoadOutput() if self.tags else LayoutOutput(self.scratch / f"{life.value}.oci")
        engine, _ = choose_engine(EngineName.AUTO, [output], self.telling.log)
        [delivered] = engine.deliver([Delivery(image, (tag,))], output)
        return image, delivered.reference, time.monotonic() - began
