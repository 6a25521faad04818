"""The names of the engines; apart, so that `--help` need not load them."""

from enum import StrEnum

__all__ = ["EngineName"]


class EngineName(StrEnum):
    """The values of `--engine`."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    BUILDKIT = "buildkit"
