"""A registry for tests that need no more of it than to be there."""

from tests.registries.servers import docker_registry as registry

__all__ = ["registry"]
