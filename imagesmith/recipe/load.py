"""Reads a recipe file: in full, or, where the same was read before, what is kept of that.

YAML, its grammar and what they import take longer than all the rest of an unchanged build. So a
valid recipe is kept in the cache folder, for these bytes in this folder, and holds as long as the
disk answers what it answered when the recipe was validated. A mistake is always found in full.
"""

from __future__ import annotations

from pathlib import Path

from imagesmith.memo import MEMOS, Memo, edition
from imagesmith.oci.spec import digest_of
from imagesmith.recipe.disk import Disk, is_unchanged
from imagesmith.recipe.file import read
from imagesmith.recipe.recipe import Recipe
from imagesmith.recipe.remembered import remembered, to_remember

__all__ = ["load"]

_HERE = Path(__file__).parent


def load(path: Path, cache: Path | None = None) -> Recipe:
    """Read a recipe file. Raises RecipeError with every mistake in it.

    What is found valid is kept in the folder `cache`, if there is one.
    """
    data, folder = read(path), path.absolute().parent
    memo = Memo(cache and cache / MEMOS, edition(_HERE, _HERE / "grammar"))
    asked = (digest_of(data), str(folder))
    known = memo.recall(*asked)
    if known and is_unchanged(folder, known["seen"]):
        return remembered(known["recipe"])

    from imagesmith.recipe.parse import validate

    disk = Disk(folder)
    recipe = validate(data, str(path), disk)
    memo.keep({"recipe": to_remember(recipe), "seen": disk.seen()}, *asked)
    return recipe
