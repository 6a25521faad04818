"""What a base is: the layers below the release, and what its own image says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagesmith.layer.layer import Layer
from imagesmith.oci.spec import Platform

__all__ = ["PATH", "Base", "SystemErlang"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Docker's default, for a base that sets none."""


@dataclass(frozen=True, slots=True)
class SystemErlang:
    """What a release without ERTS wants of its base; `applications` are names and versions."""

    erts_version: str
    applications: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """Layers bottom to top, the base's own environment, and a word on what it is.

    `warnings` are what it lacks that some releases can do without.
    """

    layers: tuple[Layer, ...]
    platform: Platform
    description: str
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
