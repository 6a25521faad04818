"""The registries of a run: who the user is there, and which need no TLS."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from imagesmith.errors import UsageError
from imagesmith.oci.reference import Reference, is_repository

if TYPE_CHECKING:
    from imagesmith.oci.registry import Registry

__all__ = ["INSECURE", "cache_reference", "connector"]

INSECURE = "IMAGESMITH_INSECURE_REGISTRIES"


def connector(tags: Sequence[str], insecure: Sequence[str]) -> Callable[[], Registry]:
    """What gives the run's one Registry, when somebody asks for it: most builds need none.

    The environment's login is for the registries of the tags. Raises UsageError for a host that
    is none.
    """
    hosts = _hosts([*insecure, *os.environ.get(INSECURE, "").replace(",", " ").split()])

    @cache
    def connect() -> Registry:
        from imagesmith.oci.credentials import UserCredentials
        from imagesmith.oci.registry import Registry

        filled = (tag.replace("{release}", "name").replace("{version}", "1") for tag in tags)
        pushed = {Reference.parse(tag).repository.partition("/")[0] for tag in filled}
        return Registry(UserCredentials(pushed), insecure=hosts)

    return connect


def cache_reference(option: str, text: str) -> str:
    """The reference in `--cache-from` or `--cache-to`, in buildx's words or by itself.

    Raises UsageError for the kinds of cache that buildx has and we have not.
    """
    if "=" not in text:
        return text
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    if fields.get("type", "registry") != "registry" or not fields.get("ref"):
        raise UsageError(
            f"{option} {text}: the cache is an image in a registry",
            hint=f"Write `{option} HOST/NAME:TAG`, or `{option} type=registry,ref=HOST/NAME:TAG`; "
            "for a file there is `imagesmith cache export`.",
        )
    return fields["ref"]


def _hosts(given: Sequence[str]) -> frozenset[str]:
    for host in given:
        if "/" in host or not is_repository(f"{host}/name"):
            raise UsageError(
                f"--insecure-registry {host}: this is no host",
                hint="Write HOST or HOST:PORT, as it stands in the image's name.",
            )
    return frozenset(given)
