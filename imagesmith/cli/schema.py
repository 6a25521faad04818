"""`imagesmith schema`."""

from __future__ import annotations

import json

__all__ = ["schema"]


def schema() -> None:
    """Print the recipe's JSON Schema, for editors.

    Examples:
      imagesmith schema > recipe.schema.json
    """
    from imagesmith.recipe.schema import schema as recipe_schema

    print(json.dumps(recipe_schema(), indent=2))
