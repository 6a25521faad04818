"""The tools that the grammar's fields are made of: sections, words for wrong values, paths.

A field's type says what is right; `wants` says it in words for the user who wrote something else.
So nobody ever reads pydantic's own messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from imagesmith.recipe.disk import Disk

__all__ = [
    "ContainerPath",
    "FilePath",
    "FolderPath",
    "PortNumber",
    "Section",
    "absolute",
    "disk_of",
    "told_by_key",
    "value_of",
    "wants",
    "wrong",
]

_LONGEST_PATH = 4096  # PATH_MAX of Linux


class Section(BaseModel):
    """A mapping of the recipe: fixed keys, and no value bent into another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    makes: ClassVar[Callable[..., object]]  # the class of the value, which has the same fields


def value_of(found: object) -> object:
    """What a validated section makes, with all that is in it."""
    if isinstance(found, Section):
        return found.makes(
            **{name: value_of(getattr(found, name)) for name in type(found).model_fields}
        )
    if isinstance(found, tuple):
        return tuple(map(value_of, found))
    if isinstance(found, Mapping):
        return {name: value_of(value) for name, value in found.items()}
    return found


def disk_of(info: ValidationInfo) -> Disk:
    """The disk, which every validation brings as its context."""
    assert isinstance(info.context, Disk)
    return info.context


def wrong(text: str) -> PydanticCustomError:
    """A mistake that is told in exactly these words."""
    return PydanticCustomError("wrong", "{text}", {"text": text})


def wants(what: str, write: str) -> WrapValidator:
    """Tell a wrong value as `wants WHAT, not …; write for example WRITE`."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            # Mistakes deeper inside, and those told with `wrong`, have their own words already.
            if any(e["loc"] or e["type"] in ("wants", "wrong") for e in error.errors()):
                raise
            context = {"what": what, "write": write}
            raise PydanticCustomError("wants", "wants {what}", context) from None

    return WrapValidator(check)


def told_by_key(
    forms: Mapping[str, type[Section]], write: str
) -> Callable[[object, ValidationInfo], object]:
    """Read a mapping that has several forms: each has one key that no other form has.

    A union of pydantic would try every form and complain about all of them, so nothing but a
    finished value may reach it.
    """

    def read(value: object, info: ValidationInfo) -> object:
        if not isinstance(value, dict):
            raise ValueError("no mapping")
        present = [key for key in forms if key in value]
        if len(present) != 1:
            raise wrong(
                f"wants exactly one of the keys {', '.join(forms)}; write for example `{write}`"
            )
        return forms[present[0]].model_validate(value, context=info.context)

    return read


def absolute(value: object, info: ValidationInfo) -> object:
    """Turn a path's text into a Path that counts from the recipe's folder."""
    if not isinstance(value, str) or not value:
        return value
    if len(value) > _LONGEST_PATH:
        raise ValueError("longer than any path")
    return disk_of(info).find(value)


def _must_be(kind: str) -> Callable[[Path, ValidationInfo], Path]:
    def check(path: Path, info: ValidationInfo) -> Path:
        if disk_of(info).kind(path) != kind:
            raise wrong(f"there is no {kind} {path}; create it or correct the path")
        return path

    return check


FolderPath = Annotated[
    Path,
    AfterValidator(_must_be("folder")),
    BeforeValidator(absolute),
    wants("the path of a folder", "./folder"),
]
FilePath = Annotated[
    Path,
    AfterValidator(_must_be("file")),
    BeforeValidator(absolute),
    wants("the path of a file", "Dockerfile"),
]
ContainerPath = Annotated[
    str,
    # No component is `.` or `..`, since the path is compared and mounted as text.
    Field(pattern=r"^(/\.?[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)+$"),
    wants("an absolute path in the container", "/upgrades"),
]
PortNumber = Annotated[
    int, Field(ge=1, le=65535), wants("a port number from 1 to 65535", "port: 4000")
]
