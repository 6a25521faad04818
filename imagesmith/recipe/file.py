"""A recipe's file: its bytes, and a mistake in it as one line."""

from __future__ import annotations

from pathlib import Path

from imagesmith.errors import RecipeError

__all__ = ["LARGEST", "one_line", "read"]

LARGEST = 1 << 20  # bytes


def read(path: Path) -> bytes:
    """The file's bytes; of one that is larger than `LARGEST`, one byte more than that.

    Raises RecipeError if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else "this is no path"
        raise RecipeError(
            [one_line(f"{path}: cannot be read ({reason}); correct the path or its permissions")]
        ) from None


def one_line(text: str) -> str:
    """The text, in which what does not print is an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
