"""What to build where the user did not say it: a recipe here, or the one release here."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.recipe import Recipe

__all__ = ["find_recipe", "release_paths"]

RECIPE = Path("imagesmith.yml")
BUILT = ("_build/prod/rel", "_build/default/rel")


def find_recipe(given: Path | None) -> Recipe:
    """The recipe of a command's RECIPE argument, which may be a release's folder as well.

    Raises RecipeError for a recipe with mistakes, UsageError if there is nothing to build.
    """
    from imagesmith.recipe import default, load

    if given is not None:
        return default(given) if _is_folder(given) else load(given)
    if RECIPE.exists():
        return load(RECIPE)
    found = sorted(path for folder in BUILT for path in Path(folder).glob("*/releases"))
    if len(found) == 1:
        return default(found[0].parent)
    if not found:
        raise UsageError(
            f"nothing to build here: there is no {RECIPE}, and no release in {BUILT[0]}",
            hint="Run `MIX_ENV=prod mix release` first, or name a recipe.",
        )
    names = ", ".join(path.parent.name for path in found)
    raise UsageError(
        f"there are several releases here: {names}",
        hint="Name one of their folders, or write a recipe with `releases:`.",
    )


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        raise UsageError(
            f"{path}: there is no such recipe", hint="Name a recipe or a release's folder."
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def release_paths(recipe: Recipe, wanted: list[str]) -> list[tuple[str | None, Path]]:
    """The releases to build: the name that the image gets, or None for the release's own, and the
    folder.

    `wanted` are the names that `--release` picked; none means all. Raises UsageError.
    """
    if recipe.source is not None:
        raise UsageError(
            "source: needs the BuildKit engine, which this version does not have yet",
            hint="Build the release first, and name its folder as `release: {path: …}`.",
        )
    if recipe.releases is None:
        if wanted:
            raise UsageError(
                f"--release {wanted[0]}: the recipe has no `releases:` to pick from",
                hint="Leave --release out.",
            )
        assert recipe.release is not None
        return [(recipe.name, recipe.release.path)]
    unknown = [name for name in wanted if name not in recipe.releases]
    if unknown:
        raise UsageError(
            f"--release {unknown[0]}: the recipe has no such release",
            hint=f"It has {', '.join(recipe.releases)}.",
        )
    prefix = f"{recipe.name}-" if recipe.name else ""
    return [
        (f"{prefix}{name}", found.path)
        for name, found in recipe.releases.items()
        if not wanted or name in wanted
    ]
