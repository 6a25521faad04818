"""The recipe's JSON Schema, for editors; and for the loader, what may stand at a place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from imagesmith.recipe.grammar.recipe import Recipe
from imagesmith.recipe.grammar.section import Section
from imagesmith.recipe.recipe import RELEASE_KEYS

__all__ = ["Place", "description_at", "keys_at", "schema"]

Place = tuple[str | int, ...]  # keys and list indexes, from the top of the recipe


class _Generator(GenerateJsonSchema):
    """What a user may write: a key is left out, never null, and needs no second title."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        # A section's default is the defaults of its keys, which stand there already.
        if isinstance(schema.get("default"), Section | None):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        mapping = super().dict_schema(schema)
        if "patternProperties" in mapping:  # the pattern is a rule for every key, not for some
            mapping["additionalProperties"] = False
        return mapping

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


@cache
def _generate() -> JsonSchemaValue:
    return Recipe.model_json_schema(schema_generator=_Generator)


def schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of a recipe file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_generate(),
        "title": "imagesmith recipe",
        "oneOf": [{"required": [key]} for key in RELEASE_KEYS],
    }


def keys_at(place: Place) -> list[str]:
    """The keys that the mapping at a place may have."""
    return [key for part in _parts_at(place) for key in part.get("properties", ())]


def description_at(place: Place) -> str:
    """What the key at a place is for; empty for a place that the schema does not know."""
    return next((part["description"] for part in _parts_at(place) if "description" in part), "")


def _parts_at(place: Place) -> list[JsonSchemaValue]:
    """The parts of the schema that speak about one place: several where there are alternatives."""
    whole = _generate()
    parts = list(_alternatives(whole, whole))
    for step in place:
        inner = [deeper for part in parts for deeper in _inside(part, step)]
        parts = [part for deeper in inner for part in _alternatives(deeper, whole)]
    return parts


def _alternatives(part: JsonSchemaValue, whole: JsonSchemaValue) -> Iterator[JsonSchemaValue]:
    yield part
    if reference := part.get("$ref"):
        yield from _alternatives(whole["$defs"][reference.removeprefix("#/$defs/")], whole)
    for alternative in part.get("anyOf", ()):
        yield from _alternatives(alternative, whole)


def _inside(part: JsonSchemaValue, step: str | int) -> Iterator[JsonSchemaValue]:
    if step in part.get("properties", {}):
        yield part["properties"][step]
    else:
        yield from part.get("patternProperties", {}).values()  # the names are the user's
