"""`imagesmith build`."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagesmith.cli.progress import Progress, ProgressMode
from imagesmith.engine.name import EngineName
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.image.image import Image
    from imagesmith.layer.store import Store
    from imagesmith.recipe import Recipe

__all__ = ["build"]


class Mode(StrEnum):
    """The two lives of a release."""

    CATTLE = "cattle"
    PET = "pet"


def build(
    recipe: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECIPE]",
            show_default=False,
            help="A recipe, or a release's folder. Default: imagesmith.yml here, or the one "
            "release under _build/prod/rel or _build/default/rel.",
        ),
    ] = None,
    mode: Annotated[Mode, typer.Option(help="Which life the image is for.")] = Mode.CATTLE,
    release: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Build only this one of the recipe's `releases:`."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            "-t",
            metavar="REF",
            help="Name the image, {release} and {version} filled in. Default: NAME:VERSION.",
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="type=T,dest=PATH",
            help="Where to: type=oci (with tar=false a folder), type=docker or type=registry.",
        ),
    ] = None,
    load: Annotated[
        bool, typer.Option("--load", help="Load the image into Docker (type=docker).")
    ] = False,
    push: Annotated[
        bool, typer.Option("--push", help="Push the image to its tags' registries (type=registry).")
    ] = False,
    engine: Annotated[EngineName, typer.Option(help="What delivers the image.")] = EngineName.AUTO,
    metadata_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the image's digests as JSON, as buildx does."),
    ] = None,
    iidfile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the image ID.")
    ] = None,
    progress: Annotated[
        ProgressMode, typer.Option(help="How to tell what happens.")
    ] = ProgressMode.AUTO,
) -> None:
    """Build an image from a release.

    Without --output, --load or --push the image is loaded where a Docker answers, and else becomes
    an OCI layout in NAME.oci/. The last line of stdout is the reference, or the path, with the
    digest.

    Examples:

      imagesmith build recipes/shop.yml --load

      imagesmith build -t registry.example/shop:1 --push

      imagesmith build _build/prod/rel/shop -t shop:1 -o type=oci,dest=shop.tar
    """
    from imagesmith.cli.deliver import (
        checked_tags,
        deliver,
        image_tags,
        wanted_outputs,
        write_metadata,
        write_whole,
    )
    from imagesmith.cli.find import find_recipe, release_paths
    from imagesmith.engine.choose import choose_engine
    from imagesmith.engine.engine import Delivery, RegistryOutput
    from imagesmith.layer.store import Scratch

    if mode is Mode.PET:
        raise UsageError(
            "--mode pet: this version builds cattle images only",
            hint="Leave --mode out, or say `--mode cattle`.",
        )
    telling = Progress(progress)
    wanted = find_recipe(recipe)
    paths = release_paths(wanted, release or [])
    tags = checked_tags(tag or [], len(paths))
    for file in (metadata_file, iidfile):
        if file and not file.absolute().parent.is_dir():
            raise UsageError(f"{file}: there is no such folder to write it into")
    if iidfile and len(paths) > 1:
        raise UsageError(
            f"--iidfile: there are {len(paths)} images, and the file holds one ID",
            hint="Use --metadata-file, or pick one with --release.",
        )
    outputs = wanted_outputs(output or [], load=load, push=push)
    if RegistryOutput() in outputs and not tags:
        raise UsageError("--push: nothing says where to", hint="Add `-t HOST/NAME:TAG`.")
    delivering, why = choose_engine(engine, outputs, telling.log)
    telling.note(f"{delivering.name} engine: {why}")
    with tempfile.TemporaryDirectory(prefix="imagesmith-") as scratch:
        store = Scratch(Path(scratch))
        images = [_image(wanted, name, path, store, telling) for name, path in paths]
        deliveries = [Delivery(image, image_tags(tags, image)) for image in images]
        delivered = deliver(delivering, deliveries, outputs)
    first = delivered[: len(deliveries)]
    if metadata_file:
        write_metadata(metadata_file, deliveries, first)
    if iidfile:
        write_whole(iidfile, first[0].config_digest)
    for item in delivered:
        typer.echo(item.reference)


def _image(recipe: Recipe, name: str | None, path: Path, store: Store, telling: Progress) -> Image:
    """One release, from its folder to a finished image."""
    from imagesmith.base.resolve import resolve_base
    from imagesmith.beam.origin import find_project
    from imagesmith.beam.release import read_release
    from imagesmith.beam.tree import Folder
    from imagesmith.docker.reference import is_repository
    from imagesmith.image.cattle import ROOT, cattle_image, plan_cattle
    from imagesmith.layer.build import build_layer
    from imagesmith.layer.files import strippable_bytes
    from imagesmith.layer.split import Group

    release = read_release(Folder(path), own=recipe.layers.own, project=find_project(path))
    name = (name or release.name).lower()
    if not is_repository(name):
        raise UsageError(
            f"{release.name}: an image cannot be named after this release",
            hint="Give it a name in the recipe: `name: shop`.",
        )
    plans = plan_cattle(release, recipe)
    native = [member for plan in plans if plan.group is Group.NATIVE for member in plan.members]
    base = resolve_base(recipe.base, native, ROOT, store)
    for layer in base.layers:
        telling.layer(layer)
    layers = []
    for plan in plans:
        layers.append(build_layer(plan, store))
        telling.layer(layers[-1])
    if recipe.layers.canonical and recipe.layers.strip == "auto":
        saved = strippable_bytes(release)
        if saved:
            telling.note(
                f"{release.name} is not stripped; `layers: {{strip: always}}` would take "
                f"{saved / 1_000_000:.1f} MB of debug information and docs out of its modules"
            )
    image = cattle_image(release, recipe, base, layers, name=name, created=_created())
    telling.image(image, base.description)
    return image


def _created() -> str:
    """The image's time: SOURCE_DATE_EPOCH (reproducible-builds.org), or a constant."""
    from imagesmith.oci.spec import EPOCH

    given = os.environ.get("SOURCE_DATE_EPOCH") or str(EPOCH)
    try:
        return datetime.fromtimestamp(int(given), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH={given}: this is no number of seconds since 1970",
            hint="Unset it, or use `git log -1 --format=%ct`.",
        ) from None
