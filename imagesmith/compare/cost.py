"""What a change costs to build, to keep and to send, whether or not it is ever deployed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imagesmith.compare.comparison import Cost
from imagesmith.oci.spec import Descriptor

__all__ = ["BuildTimes", "cost", "unsent"]


@dataclass(frozen=True, slots=True)
class BuildTimes:
    """Seconds: OLD with an empty layer cache, OLD once more, NEW after it."""

    cold: float
    unchanged: float
    changed: float


def unsent(wanted: Iterable[Descriptor], there: Iterable[Descriptor]) -> int:
    """Bytes of the blobs that are not there yet, each counted once."""
    known = {item.digest for item in there}
    return sum({item.digest: item.size for item in wanted if item.digest not in known}.values())


def cost(
    image: int, times: BuildTimes, to_registry: int, to_host: int, *, deploys: int, hosts: int
) -> Cost:
    """Put together: a day has `deploys` changes, and each goes to the registry once and to each of
    the `hosts`."""
    return Cost(
        image,
        times.cold,
        times.unchanged,
        times.changed,
        to_registry,
        to_host,
        deploys * (to_registry + hosts * to_host),
    )
