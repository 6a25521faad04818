"""What a registry has already of the layers that NEW needs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from imagesmith.oci.repository import Repository
from imagesmith.oci.spec import Descriptor

__all__ = ["Present", "ask_registry"]

ASKING = 8
"""Questions at once."""


@dataclass(frozen=True, slots=True)
class Present:
    """Of so many `layers`, how many the repository has; `bytes` are those of the others, as
    compressed."""

    repository: str
    layers: int
    present: int
    bytes: int


def ask_registry(repository: Repository, layers: Sequence[Descriptor]) -> Present:
    """Ask for each layer; nothing is fetched or sent. Raises RegistryError."""
    with ThreadPoolExecutor(ASKING) as pool:
        there = list(pool.map(repository.has, layers))
    missing = [layer.size for layer, is_there in zip(layers, there, strict=True) if not is_there]
    return Present(str(repository), len(layers), sum(there), sum(missing))
