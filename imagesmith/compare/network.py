"""Whether a network of Docker's does for a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from docker.errors import NotFound

from imagesmith.docker.sdk import telling
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from docker.client import DockerClient

__all__ = ["Attributes", "check_network", "lacks"]


class _Ipam(TypedDict, total=False):
    Config: list[Mapping[str, str]] | None


class Attributes(TypedDict, total=False):
    """What `docker network inspect` shows."""

    Driver: str
    Internal: bool
    EnableIPv4: bool
    IPAM: _Ipam


def check_network(client: DockerClient, name: str) -> None:
    """Raises UsageError for one in which the balancer would find no container, or through which
    nothing is published; DockerError."""
    with telling(f"--network {name}: cannot be looked at"):
        try:
            found = client.networks.get(name)
        except NotFound:
            raise UsageError(
                f"--network {name}: Docker has no such network",
                hint="`docker network ls` shows them; without it the containers get their own.",
            ) from None
        attributes: Attributes = found.attrs  # type: ignore[assignment]  # the SDK has no shape
        lacking = lacks(attributes)
    if lacking:
        raise UsageError(
            f"--network {name}: {lacking}",
            hint="Name a bridge network with IPv4 that is not internal: the balancer reaches "
            "containers by their addresses in it, and this machine by published ports.",
        )


def lacks(attributes: Attributes) -> str | None:
    """What it lacks, in words; None if it does."""
    driver = attributes.get("Driver", "")
    if driver != "bridge":
        return f"its driver is {driver}, not bridge"
    if attributes.get("Internal"):
        return "it is internal, and Docker publishes no port of it"
    ranges = attributes.get("IPAM", {}).get("Config") or []
    has_ipv4 = any("." in found.get("Subnet", "") for found in ranges)
    if not has_ipv4 or not attributes.get("EnableIPv4", True):
        return "it has no IPv4"
    return None
