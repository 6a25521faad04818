"""`imagesmith cache why`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Argument, Option
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.image.side import Side
    from imagesmith.image.stored import StoredImage
    from imagesmith.oci.spec import Platform

__all__ = ["why"]


def why(
    a: Annotated[
        str,
        Argument(
            "A",
            help="What is there already: a release (a folder, a .tar.gz, or a recipe), an OCI "
            "layout (oci:DIR or oci:DIR@DIGEST), an OCI archive (.tar), or an image in a registry "
            "(HOST/NAME:TAG).",
        ),
    ],
    b: Annotated[str, Argument("B", help="What is new; the same choice.")],
    release: Annotated[
        str | None,
        Option(
            "--release", metavar="NAME", help="Which of a recipe's `releases:`, where it has many."
        ),
    ] = None,
    platform: Annotated[
        str | None,
        Option("--platform", metavar="OS/ARCH", help="Which image, where a layout holds many."),
    ] = None,
    everything: Annotated[
        bool, Option("--all", help="Show every file that differs, not the first of many.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON: everything, always.")] = False,
) -> None:
    """Why a layer of B is not one of A: the files and chunks that differ, and the usual cause.

    Values of configuration and literals are not shown: they can be secrets.

    Examples:
      imagesmith cache why oci:shop-1.oci _build/prod/rel/shop
      imagesmith cache why old.tar new.tar --json
    """
    from imagesmith.cli.why_report import document, report
    from imagesmith.image.causes import explain
    from imagesmith.image.difference import compare

    wanted = _platform(platform) if platform else None
    with tempfile.TemporaryDirectory(prefix="imagesmith-") as scratch:
        before = _side(a, release, wanted, Path(scratch) / "a")
        after = _side(b, release, wanted, Path(scratch) / "b")
        difference = compare(before, after)
        explained = explain(difference)
        if as_json:
            print(json.dumps(document(before, after, difference, explained), indent=2))
        else:
            for line in report(before, after, difference, explained, everything=everything):
                print(line)


def _side(text: str, release: str | None, platform: Platform | None, scratch: Path) -> Side:
    """Whatever the user named. Raises UsageError if it is nothing that can be compared.

    What has to be unpacked or written for it goes into the folder `scratch`, which is made.
    """
    from imagesmith.image.side import image_side
    from imagesmith.image.stored import archive_image, layout_image

    scratch.mkdir()
    path = Path(text)
    if text.startswith("oci:"):
        # As `base:` has it; a folder's own name can hold an @.
        folder, at, digest = text.removeprefix("oci:").rpartition("@sha256:")
        given = f"sha256:{digest}" if at else None
        return image_side(layout_image(Path(folder if at else digest), given, platform, name=text))
    if (path / "oci-layout").is_file():
        return image_side(layout_image(path, None, platform))
    if path.suffix == ".tar" and path.is_file():
        return image_side(archive_image(path, scratch, platform))
    if path.exists():
        return _release(path, release, scratch)
    return image_side(_referenced(text, platform, scratch))


def _release(path: Path, wanted: str | None, scratch: Path) -> Side:
    """A release, planned and written as `imagesmith build` does it."""
    from imagesmith.cli.find import find_recipe, find_releases, release_count
    from imagesmith.cli.make import read
    from imagesmith.docker.source import NO_ACCESS
    from imagesmith.image.cattle import plan_cattle
    from imagesmith.image.side import release_side
    from imagesmith.layer.store import Scratch

    recipe = find_recipe(path)
    names = [wanted] if wanted and recipe.releases else []
    if release_count(recipe, names) > 1:
        raise UsageError(
            f"{path}: this recipe has several releases: {', '.join(recipe.releases or ())}",
            hint="Pick one with --release NAME.",
        )
    [found] = find_releases(recipe, names, scratch, lambda _: None, NO_ACCESS)
    release = read(recipe, found)
    name = f"{path} ({release.name} {release.version})"
    return release_side(name, plan_cattle(release, recipe), Scratch(scratch))


def _referenced(text: str, platform: Platform | None, scratch: Path) -> StoredImage:
    """The image that a reference names."""
    from imagesmith.cli.connect import connector
    from imagesmith.image.stored import registry_image
    from imagesmith.oci.blobs import BlobDir
    from imagesmith.oci.reference import ImageName

    missing = UsageError(
        f"{text}: there is no such folder, archive or recipe",
        hint="Name a release, a recipe, an OCI layout (oci:DIR), an OCI archive (FILE.tar), or an "
        "image with its tag or digest (HOST/NAME:TAG).",
    )
    # A bare word is more often a folder's name with a mistake in it than an image at Docker Hub.
    if ":" not in text.rpartition("/")[2]:
        raise missing
    try:
        ImageName.parse(text)
    except UsageError:
        raise missing from None
    return registry_image(text, connector([], [])(), BlobDir(scratch), platform)


def _platform(text: str) -> Platform:
    from imagesmith.oci.spec import Platform

    system, slash, architecture = text.partition("/")
    if not (slash and system and architecture):
        raise UsageError(f"--platform {text}: should be OS/ARCH", hint="Such as linux/amd64.")
    return Platform(architecture, system)
