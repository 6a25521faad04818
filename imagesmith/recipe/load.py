"""Reads a recipe file."""

from __future__ import annotations

from pathlib import Path

from imagesmith.recipe.file import read
from imagesmith.recipe.recipe import Recipe

__all__ = ["load"]


def load(path: Path) -> Recipe:
    """Read a recipe file. Raises RecipeError with every mistake in it."""
    from imagesmith.recipe.parse import parse

    return parse(read(path), str(path), path.absolute().parent)
