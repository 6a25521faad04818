"""A base that an image reference names: `base: debian:12-slim`.

BuildKit resolves the reference as it would for a `FROM`, with the user's credentials, and what is
built is that digest. The export is kept by digest and platform, and made once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.base.export import (
    bases_folder,
    export_build,
    export_stored,
    whole_layout,
)
from imagesmith.base.layout import layout_base
from imagesmith.base.manifest import BASE_DIGEST, BASE_NAME, OTHER_BASE
from imagesmith.docker.buildx import Build, BuildKit, Tell
from imagesmith.docker.images import (
    find_image,
    pull_image,
    registry_manifest,
    registry_platform,
)
from imagesmith.docker.log import HINTS, Trouble, run_logged, trouble_of
from imagesmith.docker.needed import needed_buildkit
from imagesmith.errors import BaseError, DockerError
from imagesmith.oci.reference import Reference
from imagesmith.oci.spec import Descriptor, Platform, array, digest_of, parse

__all__ = ["ExportedImage", "image_base", "image_layout"]


RESOLVE_PAUSES = (0.0, 0.3, 1.0, 3.0)
"""Seconds before each try: see `Log.resolved`; the other build ends, and then BuildKit tells."""


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """An image in an OCI layout of its own; `digest` is its manifest's there.

    `name` and `base_digest` are those of the image that it is a copy of: the full reference, if
    it has one, and the digest that a registry knows it by.
    """

    layout: Path
    digest: str
    name: str | None
    base_digest: str

    def base(self, platform: Platform) -> Base:
        """It as a base. Raises BaseError if it is broken or for another platform."""
        found = layout_base(self.layout, self.digest, platform)
        annotations: dict[str, str] = {BASE_DIGEST: self.base_digest}
        if self.name:
            annotations[BASE_NAME] = self.name
        described = f"{self.name or 'the Dockerfile base'} ({self.base_digest})"
        # Docker may have it from elsewhere; then that registry refuses to mount them, and no more.
        name = self.name.partition("@")[0] if self.name else ""
        holders = (name.rpartition(":")[0] if _has_tag(name) else name,) if name else ()
        layers = tuple(replace(layer, holders=holders) for layer in found.layers)
        return replace(found, layers=layers, description=described, annotations=annotations)


def image_base(reference: str, platform: Platform, cache: Path, tell: Tell | None = None) -> Base:
    """The base that a reference names; its export is kept in the cache folder.

    Raises BaseError if there is none of this name and platform, DockerError in BuildKit's words.
    """
    return image_layout(reference, platform, cache, tell).base(platform)


def image_layout(
    reference: str, platform: Platform, cache: Path, tell: Tell | None = None
) -> ExportedImage:
    """The image that a reference names, exported unless an earlier build has done so.

    Raises as `image_base`.
    """
    buildkit = needed_buildkit(f"base: {reference}")
    bases = bases_folder(cache)
    try:
        if buildkit.takes_layouts:
            return _resolved(buildkit, reference, platform, bases, tell)
        return _stored(reference, platform, bases)
    except DockerError as error:
        trouble = trouble_of(error.message)
        hint = HINTS.get(trouble, error.hint) if trouble else error.hint
        match trouble:
            case Trouble.PLATFORM:
                raise BaseError(
                    f"base {reference}: it is not there for {platform}, as the release is "
                    f"({error.message})",
                    hint=OTHER_BASE,
                ) from None
            case Trouble.MISSING | Trouble.DENIED:
                raise BaseError(
                    f"base {reference}: there is no such image, or it wants a login "
                    f"({error.message})",
                    hint=hint,
                ) from None
        raise DockerError(f"base {reference}: {error.message}", hint=hint) from None


def _resolved(
    buildkit: BuildKit, reference: str, platform: Platform, bases: Path, tell: Tell | None
) -> ExportedImage:
    build = Build(f"FROM {reference}\n", {"type": "cacheonly"}, platform=str(platform))
    name = _full_name(reference)
    for pause in RESOLVE_PAUSES:
        time.sleep(pause)
        digest = run_logged(build, None).resolved(name)
        if digest:
            break
    else:
        raise DockerError(f"BuildKit did not say which digest {reference} stands for")
    full = name if _has_tag(name) else f"{name}@{digest}"
    folder = bases / _name(digest, platform)
    entry = whole_layout(folder)
    if entry is None:
        pinned = f"{name}@{digest}"
        own = _own_digest(pinned, digest, platform)
        _, entry = export_build(
            buildkit,
            replace(build, dockerfile=f"FROM {pinned}\n"),
            lambda _: folder,
            {BASE_DIGEST: own},
            tell,
            bases,
        )
    return ExportedImage(folder, entry.digest, full, entry.annotations.get(BASE_DIGEST, digest))


def _own_digest(pinned: str, digest: str, platform: Platform) -> str:
    """The digest of the manifest for the platform, where `digest` is an index's.

    BuildKit takes an image that is not in an index for whatever platform it is asked for, so the
    platform is checked here. Raises BaseError if it is another one.
    """
    document = registry_manifest(pinned)
    if document is None or digest_of(document) != digest:
        stored = find_image(pinned)
        _check_platform(pinned, stored.platform if stored else None, platform)
        return digest
    found = parse(document, pinned)
    if "manifests" not in found:
        _check_platform(pinned, registry_platform(pinned), platform)
        return digest
    held = [Descriptor.from_json(item, pinned) for item in array(found["manifests"], pinned)]
    return next((item.digest for item in held if item.platform == platform), digest)


def _stored(reference: str, platform: Platform, bases: Path) -> ExportedImage:
    """From Docker's classic store, which has no exporter and knows images by their config."""
    if find_image(reference) is None:
        pull_image(reference, str(platform))
    image = find_image(reference)
    if image is None:
        raise DockerError(f"docker pull said that it was done, but {reference} is not there")
    if image.platform != str(platform):
        raise BaseError(
            f"base {reference}: Docker has it for {image.platform}, but the release is for "
            f"{platform}",
            hint=f"Fetch the other one, if there is one: `docker pull --platform {platform} "
            f"{reference}`.",
        )
    name, _, digest = reference.partition("@")
    full = Reference.parse(name).full
    repository = full.rpartition(":")[0]
    known = [item.rpartition("@") for item in image.digests]
    digests = [
        of for name, _, of in known if Reference.parse(name).full.rpartition(":")[0] == repository
    ]
    folder = bases / _name(image.id, platform)
    entry = whole_layout(folder)
    if entry is None:
        _, entry = export_stored(image.id, lambda _: folder, {}, bases)
    if digest and not _has_tag(name):
        full = f"{repository}@{digest}"
    # An image that was never in a registry has no manifest but the one made here.
    return ExportedImage(folder, entry.digest, full, digest or (digests or [entry.digest])[0])


def _check_platform(name: str, found: str | None, platform: Platform) -> None:
    if found is not None and found != str(platform):
        raise BaseError(
            f"base {name}: this image is for {found}, but the release is for {platform}",
            hint=OTHER_BASE,
        )


def _name(digest: str, platform: Platform) -> str:
    return f"{digest.removeprefix('sha256:')}-{platform.os}-{platform.architecture}"


def _full_name(reference: str) -> str:
    """As BuildKit tells it: with host and tag, but no tag where a digest says which."""
    name, _, digest = reference.partition("@")
    full = Reference.parse(name).full
    return full.rpartition(":")[0] if digest and not _has_tag(name) else full


def _has_tag(name: str) -> bool:
    return ":" in name.rpartition("/")[2]
