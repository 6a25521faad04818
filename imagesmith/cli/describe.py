"""`--label`, `--annotation` and `--platform`: what the user says of an image besides the recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.oci.spec import Platform

__all__ = ["check_platform", "wanted_annotations", "wanted_labels", "wanted_platform"]

MANIFEST = "manifest"
"""The one kind of annotation that an image of one platform has (docs.docker.com, "Annotations")."""

DEFAULT_VARIANTS = {"arm64": "v8", "amd64": "v1"}
"""What a platform without a variant is (containerd: platforms/database.go)."""


def wanted_labels(given: Iterable[str]) -> dict[str, str]:
    """The values of `--label`. Raises UsageError."""
    return dict(_pair("--label", text) for text in given)


def wanted_annotations(given: Iterable[str]) -> dict[str, str]:
    """The values of `--annotation`: KEY=VALUE, or as buildx writes it manifest:KEY=VALUE.

    Raises UsageError, also for the kinds of annotation that only an index has.
    """
    found = {}
    for text in given:
        key, value = _pair("--annotation", text)
        kinds, colon, name = key.rpartition(":")
        if colon and kinds != MANIFEST:
            raise UsageError(
                f"--annotation {text}: an image of one platform has a manifest, and no {kinds}",
                hint=f"Write `--annotation {name}={value}`.",
            )
        found[name] = value
    return found


def wanted_platform(given: Sequence[str]) -> str | None:
    """The platform that `--platform` names, as OS/ARCHITECTURE. Raises UsageError."""
    named = [name.strip() for text in given for name in text.split(",") if name.strip()]
    found = list(dict.fromkeys(map(_plain, named)))
    if len(found) > 1:
        raise UsageError(
            f"--platform {','.join(named)}: an image has one platform, that of its release",
            hint="Build each release by itself, and join the images: "
            "`docker buildx imagetools create -t TAG IMAGE IMAGE`.",
        )
    return found[0] if found else None


def check_platform(wanted: str | None, there: Platform, release: str) -> None:
    """Raises UsageError if the release is for another platform."""
    if wanted and wanted != str(there):
        raise UsageError(
            f"--platform {wanted}: {release} is for {there}",
            hint=f"Build the release for {wanted}, or leave --platform out.",
        )


def _plain(platform: str) -> str:
    """Without a variant that is the default anyway, so that linux/arm64/v8 is linux/arm64."""
    system, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    if variant and variant != DEFAULT_VARIANTS.get(architecture):
        return platform
    return f"{system}/{architecture}" if architecture else platform


def _pair(option: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{option} {text}: this is no KEY=VALUE")
    return key, value
