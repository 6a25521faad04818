"""The `base` of a recipe: where the layers below the release come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, ValidationInfo

from imagesmith.recipe import recipe as made
from imagesmith.recipe.grammar.section import (
    FilePath,
    Section,
    absolute,
    disk_of,
    told_by_key,
    wants,
    wrong,
)

__all__ = ["Base", "BaseField", "DockerfileBase", "LayoutBase", "MinimalBase", "ReferenceBase"]

COMPONENT = (
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"  # of a repository name, as OCI distribution has it
)
_HOST = r"(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9][a-zA-Z0-9.-]*)(?::[0-9]+)?"
_DIGEST = r"sha256:[0-9a-f]{64}"
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{COMPONENT}(?:/{COMPONENT})*(?::\w[\w.-]{{0,127}})?(?:@{_DIGEST})?", re.ASCII
)
_LONGEST_REFERENCE = 512


class LayoutBase(Section):
    """An OCI layout on disk: `oci:DIR` or `oci:DIR@sha256:…`."""

    makes = made.LayoutBase

    path: Path = Field(description="The layout's folder.")
    digest: str | None = Field(
        default=None, description="The manifest or index in it; without one it must hold just one."
    )


class ReferenceBase(Section):
    """An image in a registry, such as `debian:12-slim`."""

    makes = made.ReferenceBase

    reference: str = Field(description="The reference, as it stands in the recipe.")


def _read_place(text: str, info: ValidationInfo) -> LayoutBase | ReferenceBase:
    """Read `oci:DIR[@DIGEST]` or an image reference."""
    if text.startswith("oci:"):
        folder, at, digest = text.removeprefix("oci:").partition("@sha256:")
        if at and not re.fullmatch(_DIGEST, f"sha256:{digest}"):
            raise wrong("the digest is not whole; write oci:DIR@sha256: and 64 digits of 0-9a-f")
        path = absolute(folder, info)
        if not isinstance(path, Path):
            raise wrong("the layout's folder is missing; write for example oci:./base.oci")
        if disk_of(info).kind(path) != "folder":
            raise wrong(f"there is no OCI layout {path}; create it or correct the path")
        return LayoutBase(path=path, digest=at.removeprefix("@") + digest if at else None)
    if len(text) > _LONGEST_REFERENCE or not _REFERENCE.fullmatch(text):
        raise ValueError("no image reference")
    return ReferenceBase(reference=text)


def _read_sysroot(value: object, info: ValidationInfo) -> object:
    """A folder begins with `/` or `.`, as in `docker run -v`; all else is a layout or an image.

    Whether `rootfs` is a folder or an image must not depend on what lies on the disk.
    """
    if not isinstance(value, str) or not value:
        raise ValueError("no text")
    if not value.startswith(("/", ".")):
        beside = absolute(value, info)
        if isinstance(beside, Path) and disk_of(info).kind(beside):
            raise wrong(f"is read as an image's name; write ./{value} for the folder {beside}")
        return _read_place(value, info)
    path = absolute(value, info)
    if isinstance(path, Path) and disk_of(info).kind(path) != "folder":
        raise wrong(f"there is no folder {path}; create it or correct the path")
    return path


class MinimalBase(Section):
    """Only the shared libraries and tools that the release needs, taken from a sysroot."""

    makes = made.MinimalBase

    sysroot: Annotated[
        Path | LayoutBase | ReferenceBase,
        BeforeValidator(_read_sysroot, json_schema_input_type=str),
        wants("a folder, an OCI layout or an image", "sysroot: /"),
    ] = Field(
        default=Path("/"),
        description="The root file system to take them from, of the distribution that the release"
        " was built on: a folder (begins with / or ./), oci:DIR or an image reference.",
    )


class MinimalForm(Section):
    """`base: {minimal: {…}}`: the minimal base with settings."""

    minimal: Annotated[MinimalBase, wants("a mapping", "minimal: {sysroot: /}")] = Field(
        description="Settings of the minimal base."
    )


# They reach a package manager's command line, so nothing that a shell or an option parser reads.
Package = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._=:~-]*$"),
    wants("the name of a package", "packages: [libsctp1]"),
]


class DockerfileBase(Section):
    """A base that a Dockerfile builds; needs BuildKit."""

    makes = made.DockerfileBase

    dockerfile: FilePath = Field(description="The Dockerfile, relative to the recipe.")
    target: Annotated[str, Field(min_length=1), wants("a stage's name", "target: slim")] | None = (
        Field(default=None, description="The stage to use; the last one without it.")
    )
    packages: Annotated[
        tuple[Package, ...],
        Field(strict=False),
        wants("a list of packages", "packages: [libsctp1]"),
    ] = Field(default=(), description="Packages of the distribution to install on top.")


Base: TypeAlias = MinimalBase | LayoutBase | ReferenceBase | DockerfileBase

_WRITE = "base: minimal"
_read_mapping = told_by_key(
    {"minimal": MinimalForm, "dockerfile": DockerfileBase}, "base: {minimal: {sysroot: /}}"
)


def _read_base(value: object, info: ValidationInfo) -> object:
    """Read every form of `base`."""
    if value == "minimal":
        return MinimalBase()
    if isinstance(value, str):
        return _read_place(value, info)
    form = _read_mapping(value, info)
    return form.minimal if isinstance(form, MinimalForm) else form


BaseField = Annotated[
    Base,
    BeforeValidator(_read_base, json_schema_input_type=str | MinimalForm | DockerfileBase),
    wants("minimal, an image reference, oci:DIR or a mapping", _WRITE),
]
