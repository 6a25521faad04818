"""Where a recipe's release comes from: a path, or source code to build it from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from imagesmith.recipe import recipe as made
from imagesmith.recipe.grammar.base import COMPONENT
from imagesmith.recipe.grammar.section import (
    ContainerPath,
    FilePath,
    FolderPath,
    Section,
    absolute,
    disk_of,
    told_by_key,
    wants,
    wrong,
)

__all__ = [
    "Builder",
    "ReleaseName",
    "ReleasePath",
    "Source",
    "SourceCommand",
    "SourceDockerfile",
    "SourceField",
]


def _holds_release(path: Path, info: ValidationInfo) -> Path:
    kind = disk_of(info).kind(path)
    if kind is None:
        raise wrong(
            f"there is nothing at {path}; build the release first (MIX_ENV=prod mix release)"
            " or correct the path"
        )
    if kind == "file" and not path.name.endswith(".tar.gz"):
        raise wrong(
            f"{path} is a file and no .tar.gz; name the release's folder or a .tar.gz of it"
        )
    return path


class ReleasePath(Section):
    """A release that is there already."""

    makes = made.ReleasePath

    path: Annotated[
        Path,
        AfterValidator(_holds_release),
        BeforeValidator(absolute),
        wants("the path of a release", "path: _build/prod/rel/shop"),
    ] = Field(
        description="The release, relative to the recipe: the folder that mix release, Distillery"
        " or relx made, with bin/, lib/ and releases/ in it, or a .tar.gz of one."
    )


ReleaseName = Annotated[
    str,
    Field(pattern=f"^{COMPONENT}$"),
    wants("a release's name in lower case", "releases: {web: {path: _build/prod/rel/web}}"),
]


class Builder(Section):
    """The image in which the release is built from source."""

    makes = made.Builder

    dockerfile: FilePath = Field(description="Its Dockerfile, relative to the recipe.")
    target: (
        Annotated[str, Field(min_length=1), wants("a stage's name", "target: builder")] | None
    ) = Field(default=None, description="The stage to use; the last one without it.")


class SourceCommand(Section):
    """A release that imagesmith builds: one command, run in a builder image; needs BuildKit."""

    makes = made.SourceCommand

    path: FolderPath = Field(description="The project's folder, relative to the recipe.")
    command: Annotated[
        str, Field(min_length=1), wants("a command", "command: mix release shop")
    ] = Field(description="The command that makes the release, such as mix release shop.")
    builder: Annotated[Builder, wants("a mapping", "builder: {dockerfile: Dockerfile.base}")] = (
        Field(description="The image in which the command runs.")
    )


class SourceDockerfile(Section):
    """A release that the user's own Dockerfile builds; needs BuildKit."""

    makes = made.SourceDockerfile

    dockerfile: FilePath = Field(description="The Dockerfile, relative to the recipe.")
    target: (
        Annotated[str, Field(min_length=1), wants("a stage's name", "target: builder")] | None
    ) = Field(
        default=None, description="The stage that holds the release; the last one without it."
    )
    path: ContainerPath = Field(
        description="The release's folder in that stage, such as /app/_build/prod/rel/shop."
    )


Source: TypeAlias = SourceCommand | SourceDockerfile
_SOURCE = "source: {dockerfile: Dockerfile, target: builder, path: /app/_build/prod/rel/shop}"
SourceField = Annotated[
    Source,
    BeforeValidator(
        told_by_key({"command": SourceCommand, "dockerfile": SourceDockerfile}, _SOURCE),
        json_schema_input_type=SourceCommand | SourceDockerfile,
    ),
    wants("a mapping", _SOURCE),
]
