"""What to build where the user did not say it: a recipe here, or the one release here."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.docker.access import Access
    from imagesmith.docker.buildx import Tell
    from imagesmith.recipe import Recipe, Source

__all__ = ["Found", "find_recipe", "find_releases", "release_count"]

RECIPE = Path("imagesmith.yml")
BUILT = ("_build/prod/rel", "_build/default/rel")


def find_recipe(given: Path | None, cache: Path | None = None) -> Recipe:
    """The recipe of a command's RECIPE argument, which may be a release's folder as well.

    A valid one is kept in the folder `cache`, and quickly read again. Raises RecipeError for a
    recipe with mistakes, UsageError if there is nothing to build.
    """
    from imagesmith.recipe import default
    from imagesmith.recipe.load import load

    if given is not None:
        archive = given.name.endswith(".tar.gz")
        return default(given) if _is_folder(given) or archive else load(given, cache)
    if RECIPE.exists():
        return load(RECIPE, cache)
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


@dataclass(frozen=True, slots=True)
class Found:
    """A release to build.

    `name` is what the recipe calls the image, if anything; the project of the release is looked
    for above `beside`.
    """

    name: str | None
    path: Path
    beside: Path


def release_count(recipe: Recipe, wanted: list[str]) -> int:
    """How many releases there are to build. Raises UsageError for one that is not there."""
    if recipe.releases is None:
        if wanted:
            raise UsageError(
                f"--release {wanted[0]}: the recipe has no `releases:` to pick from",
                hint="Leave --release out.",
            )
        return 1
    unknown = [name for name in wanted if name not in recipe.releases]
    if unknown:
        raise UsageError(
            f"--release {unknown[0]}: the recipe has no such release",
            hint=f"It has {', '.join(recipe.releases)}.",
        )
    return len(set(wanted)) if wanted else len(recipe.releases)


def find_releases(
    recipe: Recipe, wanted: list[str], scratch: Path, tell: Tell, access: Access
) -> list[Found]:
    """The releases to build: those that `wanted` names, or all.

    One from `source:` is built first, into `scratch`. Raises UsageError, DockerError.
    """
    from imagesmith.recipe import SourceCommand, SourceDockerfile

    release_count(recipe, wanted)
    if recipe.source is not None:
        path = build_source(recipe.source, scratch, tell, access)
        match recipe.source:
            case SourceCommand(path=project):
                return [Found(recipe.name, path, project / "release")]
            case SourceDockerfile(dockerfile=dockerfile):
                return [Found(recipe.name, path, dockerfile)]
    if recipe.releases is None:
        assert recipe.release is not None
        return [Found(recipe.name, recipe.release.path, recipe.release.path)]
    prefix = f"{recipe.name}-" if recipe.name else ""
    return [
        Found(f"{prefix}{name}", found.path, found.path)
        for name, found in recipe.releases.items()
        if not wanted or name in wanted
    ]


def build_source(source: Source, scratch: Path, tell: Tell, access: Access) -> Path:
    """Build the release of a `source:`; returns its folder, which lies in `scratch`."""
    from imagesmith.docker.source import CommandSource, DockerfileSource, build_release
    from imagesmith.recipe import SourceCommand, SourceDockerfile

    into = scratch / "source"
    match source:
        case SourceCommand(path=project, command=command, builder=builder):
            by_command = CommandSource(project, command, builder.dockerfile, builder.target)
            return build_release(by_command, into, tell, access)
        case SourceDockerfile(dockerfile=dockerfile, target=target, path=path):
            return build_release(DockerfileSource(dockerfile, path, target), into, tell, access)
