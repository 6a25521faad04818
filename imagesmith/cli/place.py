"""Where the cache lies: `--cache-dir`, else IMAGESMITH_CACHE_DIR, else the user's cache folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from imagesmith.cli.command import Option

__all__ = ["CacheDir", "cache_folder"]

CacheDir = Annotated[
    Path | None,
    Option(
        "--cache-dir",
        metavar="DIR",
        envvar="IMAGESMITH_CACHE_DIR",
        help="The cache of layers and bases. Default: imagesmith in the user's cache folder.",
    ),
]


def cache_folder(given: Path | None) -> Path | None:
    """The cache folder, which need not be there yet; None for a user without a home."""
    if given is None:
        import platformdirs

        try:
            given = platformdirs.user_cache_path("imagesmith")
        except RuntimeError:  # there is no home: some versions raise, and some leave the ~
            return None
        return given if given.is_absolute() else None
    return given.absolute()
