"""The JSON schemas of the OCI image specification, as oracles, where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

FOLDER = Path(__file__).parents[3] / "shared/oci-schemas"
BASE = "https://opencontainers.example/schema/"


def validator(name: str) -> Draft4Validator:
    """The validator of one schema; the schemas refer to each other by file name."""
    resources = []
    for path in FOLDER.glob("*.json"):
        schema = _without_ids(json.loads(path.read_text())) | {"id": BASE + path.name}
        resources.append((BASE + path.name, DRAFT4.create_resource(schema)))
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft4Validator({"$ref": BASE + name}, registry=registry)


def _without_ids(schema: Any) -> Any:
    """Ids inside of a schema would be the base of the references below them, and lead nowhere."""
    if isinstance(schema, list):
        return [_without_ids(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_ids(value)
        for key, value in schema.items()
        if key != "id" or not isinstance(value, str)
    }


def problems(name: str, document: bytes) -> list[str]:
    """What the schema finds wrong with the document."""
    return [error.message for error in validator(name).iter_errors(json.loads(document))]
