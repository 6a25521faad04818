"""`--insecure-registry`, which several commands take."""

from __future__ import annotations

from typing import Annotated

from imagesmith.cli.command import Option

__all__ = ["InsecureRegistries"]

InsecureRegistries = Annotated[
    list[str] | None,
    Option(
        "--insecure-registry",
        metavar="HOST",
        help="A registry that may be reached by plain http.",
    ),
]
