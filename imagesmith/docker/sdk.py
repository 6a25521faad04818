"""Docker's SDK, on the engine that the user's docker command talks to.

For what a command is too slow or too blunt: statistics, and containers by the dozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from docker.client import DockerClient
from docker.errors import DockerException
from requests.exceptions import RequestException

from imagesmith.docker.client import local_endpoint
from imagesmith.errors import DockerError

__all__ = ["connect", "telling"]

CONNECTIONS = 32
"""As many requests are on their way at once; more would wait."""


def connect(what: str) -> DockerClient:
    """The engine of DOCKER_HOST, or of the current context, if it is one of this machine.

    Raises DockerError, in which `what` is what it is wanted for.
    """
    place = local_endpoint(what)
    try:
        client = DockerClient(base_url=place, timeout=120, max_pool_size=CONNECTIONS)
        client.ping()
    except (DockerException, RequestException, OSError):
        raise DockerError(
            f"{what}: no Docker answers at {place}",
            hint="Start it; `docker version` tells whether it answers.",
        ) from None
    return client


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Make an error of the SDK a DockerError: `what`, and Docker's own words."""
    try:
        yield
    except DockerException as error:
        said = getattr(error, "explanation", None) or str(error)
        raise DockerError(f"{what}: {str(said).strip()}") from None
    except (RequestException, OSError) as error:
        raise DockerError(
            f"{what}: Docker went away ({type(error).__name__})",
            hint="`docker version` tells whether it answers.",
        ) from None
