"""A recipe as JSON, for `load` to keep, and back: each value by the name of its class.

Only this program, unedited, reads what it has written, so nothing is validated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from imagesmith.oci.spec import Json, array, object_of, string
from imagesmith.recipe import recipe as values
from imagesmith.recipe.recipe import Recipe

__all__ = ["remembered", "to_remember"]


def to_remember(value: object) -> Json:
    """What `remembered` takes; a mapping is pairs, since JSON is written in the order of keys."""
    if isinstance(value, Path):
        return {"is": "path", "of": str(value)}
    if isinstance(value, tuple):
        return [to_remember(item) for item in value]
    if isinstance(value, Mapping):
        return {"is": "mapping", "of": [[key, to_remember(item)] for key, item in value.items()]}
    if is_dataclass(value):
        found = {field.name: to_remember(getattr(value, field.name)) for field in fields(value)}
        return {"is": type(value).__name__, "of": found}
    assert value is None or isinstance(value, bool | int | str)
    return value


def remembered(stored: Json) -> Recipe:
    """The recipe as it was."""
    recipe = _value(stored)
    assert isinstance(recipe, Recipe)
    return recipe


def _value(stored: Json) -> object:
    if isinstance(stored, list):
        return tuple(_value(item) for item in stored)
    if not isinstance(stored, Mapping):
        return stored
    of = stored["of"]
    match stored["is"]:
        case "path":
            return Path(string(of, "memo"))
        case "mapping":
            pairs = (array(pair, "memo") for pair in array(of, "memo"))
            return {string(key, "memo"): _value(item) for key, item in pairs}
        case name:
            found = {key: _value(item) for key, item in object_of(of, "memo").items()}
            return getattr(values, string(name, "memo"))(**found)
