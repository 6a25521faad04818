"""`imagesmith build`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagesmith.cli.progress import Progress, ProgressMode
from imagesmith.errors import OutputError, UsageError

if TYPE_CHECKING:
    from imagesmith.engine.engine import Delivery, Engine, Output
    from imagesmith.image.image import Image
    from imagesmith.layer.store import Store
    from imagesmith.recipe import Recipe

__all__ = ["build"]

EPOCH = 315_532_800  # 1980-01-01T00:00:00Z, as every file in a layer has it


class Mode(StrEnum):
    """The two lives of a release."""

    CATTLE = "cattle"
    PET = "pet"


class EngineName(StrEnum):
    """The values of `--engine`."""

    AUTO = "auto"
    EMBEDDED = "embedded"


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
            help="Where to: type=oci (with tar=false a folder) or type=docker.",
        ),
    ] = None,
    load: Annotated[
        bool, typer.Option("--load", help="Load the image into Docker (type=docker).")
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

    Without --output or --load the image is loaded where a Docker answers, and else becomes an OCI
    layout in NAME.oci/. The reference, or the path, with its digest is the last line of stdout.

    Examples:

      imagesmith build recipes/shop.yml --load

      imagesmith build _build/prod/rel/shop -t shop:1 -o type=oci,dest=shop.tar
    """
    from imagesmith.cli.find import find_recipe, release_paths
    from imagesmith.engine.engine import Delivery
    from imagesmith.layer.store import Scratch

    if mode is Mode.PET:
        raise UsageError(
            "--mode pet: this version builds cattle images only",
            hint="Leave --mode out, or say `--mode cattle`.",
        )
    telling = Progress(progress)
    wanted = find_recipe(recipe)
    paths = release_paths(wanted, release or [])
    tags = _checked_tags(tag or [], len(paths))
    if iidfile and len(paths) > 1:
        raise UsageError(
            f"--iidfile: there are {len(paths)} images, and the file holds one ID",
            hint="Use --metadata-file, or pick one with --release.",
        )
    outputs = _outputs(output or [], load)
    delivering = _engine(engine)
    with tempfile.TemporaryDirectory(prefix="imagesmith-") as scratch:
        store = Scratch(Path(scratch))
        images = [_image(wanted, name, path, store, telling) for name, path in paths]
        deliveries = [Delivery(image, _tags(tags, image)) for image in images]
        printed: list[str] = []
        for place, held in _destinations(outputs, deliveries, telling):
            printed += delivering.deliver(held, place)
    if metadata_file:
        _write(metadata_file, json.dumps(_metadata(deliveries), indent=2) + "\n")
    if iidfile:
        _write(iidfile, images[0].config_descriptor.digest)
    for line in printed:
        typer.echo(line)


def _engine(name: EngineName) -> Engine:
    from imagesmith.docker.client import Docker
    from imagesmith.engine.embedded import EmbeddedEngine

    match name:
        case EngineName.AUTO | EngineName.EMBEDDED:
            return EmbeddedEngine(Docker())


def _image(recipe: Recipe, name: str | None, path: Path, store: Store, telling: Progress) -> Image:
    """One release, from its folder to a finished image."""
    from imagesmith.base.resolve import resolve_base
    from imagesmith.beam.origin import find_project
    from imagesmith.beam.release import read_release
    from imagesmith.beam.tree import Folder
    from imagesmith.image.cattle import ROOT, cattle_image, plan_cattle
    from imagesmith.layer.build import build_layer
    from imagesmith.layer.files import strippable_bytes
    from imagesmith.layer.split import Group

    release = read_release(Folder(path), own=recipe.layers.own, project=find_project(path))
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
    image = cattle_image(
        release, recipe, base, layers, name=(name or release.name).lower(), created=_created()
    )
    telling.image(image, base.description)
    return image


def _created() -> str:
    """The image's time: SOURCE_DATE_EPOCH (reproducible-builds.org), or a constant."""
    given = os.environ.get("SOURCE_DATE_EPOCH", str(EPOCH))
    try:
        return datetime.fromtimestamp(int(given), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH={given}: this is no number of seconds since 1970",
            hint="Unset it, or use `git log -1 --format=%ct`.",
        ) from None


def _checked_tags(tags: Sequence[str], images: int) -> list[str]:
    from imagesmith.docker.reference import Reference

    for tag in tags:
        if images > 1 and "{release}" not in tag:
            raise UsageError(
                f"-t {tag}: {images} images cannot have one name",
                hint="Write {release} where each one's own name shall stand: "
                "-t registry.example/{release}:{version}",
            )
        Reference.parse(tag.replace("{release}", "name").replace("{version}", "1"))
    return list(tags)


def _tags(tags: Sequence[str], image: Image) -> tuple[str, ...]:
    # A version may have a + (semver.org, "build metadata"), a tag may not.
    version = image.version.replace("+", "-")
    return tuple(
        tag.replace("{release}", image.name).replace("{version}", version)
        for tag in tags or ["{release}:{version}"]
    )


def _outputs(outputs: Sequence[str], load: bool) -> list[Output]:
    from imagesmith.cli.output import parse_output
    from imagesmith.engine.engine import LayoutOutput, LoadOutput
    from imagesmith.oci.layout import check_target

    parsed = [parse_output(text) for text in outputs]
    if load and LoadOutput() not in parsed:
        parsed.append(LoadOutput())
    for place in parsed:
        if isinstance(place, LayoutOutput):
            check_target(place.path)
    return parsed


def _destinations(
    outputs: Sequence[Output], deliveries: Sequence[Delivery], telling: Progress
) -> list[tuple[Output, Sequence[Delivery]]]:
    """What goes where; where the user did not say it, into Docker, or into a layout an image."""
    from imagesmith.docker.client import Docker
    from imagesmith.engine.engine import LayoutOutput, LoadOutput

    if outputs:
        return [(place, deliveries) for place in outputs]
    version = Docker().version()
    if version:
        telling.note(f"loading into Docker {version}, which answers here")
        return [(LoadOutput(), deliveries)]
    return [(LayoutOutput(Path(f"{item.image.name}.oci")), [item]) for item in deliveries]


def _metadata(deliveries: Sequence[Delivery]) -> dict[str, object]:
    """What buildx's `--metadata-file` holds; by release where there are several."""
    documents = {
        item.image.name: {
            "containerimage.config.digest": item.image.config_descriptor.digest,
            "containerimage.descriptor": item.image.descriptor.to_json(),
            "containerimage.digest": item.image.digest,
            "image.name": ",".join(item.tags),
        }
        for item in deliveries
    }
    if len(documents) == 1:
        return dict(next(iter(documents.values())))
    return dict(documents)


def _write(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
