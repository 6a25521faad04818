"""A base that a Dockerfile builds: `base: {dockerfile: Dockerfile.base, target: slim}`.

The context is the Dockerfile's folder, as with `docker build`. Packages are one more stage on
top, made with the package manager that the image has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.base.export import bases_folder, export_build
from imagesmith.base.image import ExportedImage
from imagesmith.base.manifest import OTHER_BASE
from imagesmith.docker.access import NO_ACCESS, Access
from imagesmith.docker.buildx import Build, Tell
from imagesmith.docker.dockerfile import SCRIPTS, Dockerfile, placed, script_context
from imagesmith.docker.log import Trouble, trouble_of
from imagesmith.docker.needed import needed_buildkit
from imagesmith.errors import BaseError, DockerError
from imagesmith.oci.spec import Platform

__all__ = ["dockerfile_base", "dockerfile_layout"]

ALIAS = "imagesmith-base"
PACKAGES = "imagesmith-packages"

INSTALL = """\
set -eu
if command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qy --no-install-recommends -- "$@"
  rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \\
    /var/log/alternatives.log /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old \\
    /var/lib/dpkg/*-old
elif command -v apk >/dev/null; then
  apk add --no-cache -- "$@"
elif command -v microdnf >/dev/null; then
  microdnf install -y --nodocs --setopt=install_weak_deps=0 "$@"
  microdnf clean all
  rm -rf /var/cache/yum /var/log/dnf* /var/log/hawkey.log
elif command -v dnf >/dev/null; then
  dnf install -y --nodocs --setopt=install_weak_deps=False "$@"
  dnf clean all
  rm -rf /var/cache/dnf /var/log/dnf* /var/log/hawkey.log /var/log/rhsm
else
  echo "packages: this image has none of apt-get, apk, microdnf, dnf" >&2
  exit 1
fi
"""
"""Lists, caches and logs hold times, and would make every build of the layer another one."""


def dockerfile_base(
    dockerfile: Path,
    target: str | None,
    packages: Sequence[str],
    platform: Platform,
    cache: Path,
    tell: Tell | None = None,
    access: Access = NO_ACCESS,
) -> Base:
    """The base that a Dockerfile builds.

    Raises UsageError for a stage that is not there, BaseError if an image in it is not there for
    the platform, DockerError in BuildKit's words.
    """
    return dockerfile_layout(dockerfile, target, packages, platform, cache, tell, access).base(
        platform
    )


def dockerfile_layout(
    dockerfile: Path,
    target: str | None,
    packages: Sequence[str],
    platform: Platform,
    cache: Path,
    tell: Tell | None = None,
    access: Access = NO_ACCESS,
) -> ExportedImage:
    """The image that a Dockerfile builds, in a layout. Raises as `dockerfile_base`."""
    text = Dockerfile.read(dockerfile).extended(target, _stages(packages), alias=ALIAS)
    buildkit = needed_buildkit(f"base: {dockerfile}")
    with placed(text, dockerfile) as file:
        build = Build(
            file,
            {},
            context=dockerfile.parent,
            contexts=script_context(file, "packages", INSTALL),
            target=PACKAGES if packages else ALIAS,
            secrets=access.secrets,
            ssh=access.ssh,
            platform=str(platform),
        )
        bases = bases_folder(cache)
        try:
            folder, entry = export_build(
                buildkit,
                build,
                lambda entry: bases / f"{entry.digest.removeprefix('sha256:')}-dockerfile",
                {},
                tell,
                bases,
            )
        except DockerError as error:
            message = f"base {dockerfile}: {error.message}"
            if trouble_of(error.message) is Trouble.PLATFORM:
                raise BaseError(message, hint=OTHER_BASE) from None
            raise DockerError(message, hint=error.hint) from None
    return ExportedImage(folder, entry.digest, None, entry.digest)


def _stages(packages: Sequence[str]) -> list[str]:
    if not packages:
        return []
    # As a list: the image may have set another SHELL. And /mnt is there in every distribution, so
    # that no empty folder stays behind.
    words = json.dumps(["/bin/sh", "/mnt/packages", *packages])
    mount = f"--mount=type=bind,from={SCRIPTS},target=/mnt"
    return [f"FROM {ALIAS} AS {PACKAGES}", "USER root", f"RUN {mount} {words}"]
