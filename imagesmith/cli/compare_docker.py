"""Whether containers can be run here, for `compare`: known before anything is built."""

from __future__ import annotations

from importlib.util import find_spec

from imagesmith.docker.client import Docker, local_endpoint
from imagesmith.errors import UsageError

__all__ = ["docker_answers", "need_extra"]


def docker_answers() -> bool:
    """Whether a Docker answers. Raises DockerError if it is another machine's."""
    if Docker().version() is None:
        return False
    local_endpoint("compare")
    return True


def need_extra() -> None:
    """Raises UsageError unless everything is installed that a load and containers need."""
    missing = [name for name in ("aiohttp", "docker") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"compare: not installed: {', '.join(missing)}",
            hint="pip install 'imagesmith[compare]'",
        )
