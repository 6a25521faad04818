"""`imagesmith build`."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Argument, Option
from imagesmith.cli.insecure import InsecureRegistries
from imagesmith.cli.place import CacheDir, cache_folder
from imagesmith.cli.progress import Progress, ProgressMode
from imagesmith.engine.name import EngineName
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.layer.store import Store

__all__ = ["build"]


class Mode(StrEnum):
    """The two lives of a release."""

    CATTLE = "cattle"
    PET = "pet"


def build(
    recipe: Annotated[
        Path | None,
        Argument(
            "RECIPE",
            help="A recipe, or a release's folder. Default: imagesmith.yml here, or the one "
            "release under _build/prod/rel or _build/default/rel.",
        ),
    ] = None,
    mode: Annotated[Mode, Option("--mode", help="Which life the image is for.")] = Mode.CATTLE,
    release: Annotated[
        list[str] | None,
        Option(
            "--release", metavar="NAME", help="Build only this one of the recipe's `releases:`."
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        Option(
            "--tag",
            "-t",
            metavar="REF",
            help="Name the image, {release} and {version} filled in. Default: NAME:VERSION.",
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        Option(
            "--output",
            "-o",
            metavar="type=T,dest=PATH",
            help="Where to: type=oci (with tar=false a folder), type=docker or type=registry.",
        ),
    ] = None,
    load: Annotated[
        bool, Option("--load", help="Load the image into Docker (type=docker).")
    ] = False,
    push: Annotated[
        bool, Option("--push", help="Push the image to its tags' registries (type=registry).")
    ] = False,
    platform: Annotated[
        list[str] | None,
        Option(
            "--platform",
            metavar="OS/ARCH",
            help="Refuse a release that is not for this platform; an image has one.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        Option("--label", metavar="KEY=VALUE", help="A label, besides the recipe's `labels:`."),
    ] = None,
    annotation: Annotated[
        list[str] | None,
        Option("--annotation", metavar="KEY=VALUE", help="An annotation of the manifest."),
    ] = None,
    insecure_registry: InsecureRegistries = None,
    engine: Annotated[
        EngineName, Option("--engine", help="What delivers the image.")
    ] = EngineName.AUTO,
    secret: Annotated[
        list[str] | None,
        Option(
            "--secret",
            metavar="id=ID,src=FILE",
            help="A secret for `source:` or a Dockerfile, as buildx takes it.",
        ),
    ] = None,
    ssh: Annotated[
        str | None,
        Option("--ssh", metavar="default", help="An SSH agent for `source:`, as buildx takes it."),
    ] = None,
    cache_dir: CacheDir = None,
    cache_from: Annotated[
        list[str] | None,
        Option(
            "--cache-from",
            metavar="REF",
            help="An image in a registry whose layers are taken over, not built. It is trusted.",
        ),
    ] = None,
    cache_to: Annotated[
        str | None,
        Option(
            "--cache-to", metavar="REF", help="Push the image there too, for a later --cache-from."
        ),
    ] = None,
    append_to: Annotated[
        str | None,
        Option(
            "--append-to",
            metavar="REF",
            help="Ship only the files that have changed since this image, as one layer on top of "
            "it.",
        ),
    ] = None,
    upgrade_from: Annotated[
        str | None,
        Option(
            "--upgrade-from",
            metavar="OLD",
            help="Make the bundle that upgrades a pet from OLD too: a release (a folder or "
            ".tar.gz), an OCI layout (oci:DIR) or archive (.tar), or an image (HOST/NAME:TAG).",
        ),
    ] = None,
    bundle: Annotated[
        str | None,
        Option(
            "--bundle",
            metavar="DEST",
            help="Where the bundle goes: FILE, oci:DIR or HOST/NAME:TAG. Default: a file named by "
            "release and versions.",
        ),
    ] = None,
    metadata_file: Annotated[
        Path | None,
        Option(
            "--metadata-file",
            metavar="FILE",
            help="Write the image's digests as JSON, as buildx does.",
        ),
    ] = None,
    iidfile: Annotated[
        Path | None, Option("--iidfile", metavar="FILE", help="Write the image ID.")
    ] = None,
    progress: Annotated[
        ProgressMode, Option("--progress", help="How to tell what happens.")
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

      imagesmith build --mode pet --upgrade-from registry.example/shop:1 --load
    """
    from imagesmith.base.fetch import fetcher
    from imagesmith.cli import bundle as bundles
    from imagesmith.cli import describe
    from imagesmith.cli.access import checked_access
    from imagesmith.cli.connect import cache_reference, connector
    from imagesmith.cli.deliver import (
        checked_tags,
        deliver,
        deliver_cache,
        image_tags,
        note_holders,
        wanted_outputs,
        write_metadata,
        write_whole,
    )
    from imagesmith.cli.find import find_recipe, find_releases, release_count
    from imagesmith.cli.make import Maker
    from imagesmith.engine.choose import choose_engine
    from imagesmith.engine.engine import Delivery, RegistryOutput
    from imagesmith.layer.cache import Cache
    from imagesmith.layer.running import running
    from imagesmith.layer.store import Scratch
    from imagesmith.oci.reference import Reference

    telling = Progress(progress)
    access = checked_access(secret or [], ssh)
    folder = cache_folder(cache_dir)
    annotations = describe.wanted_annotations(annotation or [])
    only_for = describe.wanted_platform(platform or [])
    labels = describe.wanted_labels(label or [])
    wanted = find_recipe(recipe, folder)
    wanted = replace(wanted, labels={**wanted.labels, **labels})
    count = release_count(wanted, release or [])
    tags = checked_tags(tag or [], count)
    lenders = [cache_reference("--cache-from", text) for text in cache_from or []]
    kept_at = [cache_reference("--cache-to", cache_to)] if cache_to else []
    checked_tags(kept_at, count, "--cache-to")
    for file in (metadata_file, iidfile):
        if file and not file.absolute().parent.is_dir():
            raise UsageError(f"{file}: there is no such folder to write it into")
    if iidfile and count > 1:
        raise UsageError(
            f"--iidfile: there are {count} images, and the file holds one ID",
            hint="Use --metadata-file, or pick one with --release.",
        )
    outputs = wanted_outputs(output or [], load=load, push=push)
    if append_to and mode is Mode.PET:
        raise UsageError(
            "--append-to: a pet has the layers of the cattle image, and no others below its own",
            hint="Leave --append-to out, or build `--mode cattle`.",
        )
    if bundle and not upgrade_from:
        raise UsageError(
            "--bundle: there is no upgrade to bundle", hint="Add `--upgrade-from OLD`."
        )
    if upgrade_from and (mode is not Mode.PET or count > 1):
        why_not = (
            "only a pet is upgraded" if mode is not Mode.PET else f"there are {count} releases"
        )
        raise UsageError(
            f"--upgrade-from: {why_not}",
            hint="Build one release, `--mode pet --release NAME`, with the OLD of that one.",
        )
    bundle_place = bundles.bundle_place(bundle)
    pushes = RegistryOutput() in outputs
    if pushes and not tags:
        raise UsageError("--push: nothing says where to", hint="Add `-t HOST/NAME:TAG`.")
    connect = connector(
        [*tags, *kept_at, *filter(None, [bundle_place.reference])], insecure_registry or []
    )
    delivering, why = choose_engine(engine, outputs, telling.log, connect)
    telling.note(f"{delivering.name} engine: {why}")
    if folder is None:
        telling.note("no home folder to keep layers in; --cache-dir names another place")
    with ExitStack() as held:
        scratch = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="imagesmith-")))
        cache = Cache(folder or scratch / "cache", Scratch(scratch), telling.note)
        held.enter_context(running(cache.folder))
        store: Store = cache
        if lenders:
            from imagesmith.cli.lend import lent

            store = lent(cache, lenders, connect, scratch, telling)
        found = find_releases(wanted, release or [], scratch, telling.log, access)
        by_docker = {EngineName.BUILDKIT: True, EngineName.EMBEDDED: False}.get(engine)
        fetch = fetcher(cache.folder, connect, telling.log, access, buildkit=by_docker)
        onto = None
        if append_to:
            from imagesmith.cli.append import Appends

            onto = Appends(append_to, connect, cache.blobs, telling, pushes=pushes)
        maker = Maker(
            store,
            telling,
            fetch,
            cache.folder,
            onto,
            pet=mode is Mode.PET,
            annotations=annotations,
            platform=only_for,
        )
        upgrade = None
        if upgrade_from:
            old = held.enter_context(bundles.opened_before(upgrade_from, wanted, connect, scratch))
            upgrade = bundles.UpgradeMaker(old, wanted, scratch, telling)
        check = upgrade.check if upgrade else None
        images = [maker.image(wanted, item, check) for item in found]
        if upgrade:
            upgrade.finish(images[0])
        deliveries = [Delivery(image, image_tags(tags, image)) for image in images]
        delivered = deliver(delivering, deliveries, outputs)
        if pushes:
            note_holders(cache, deliveries)
            if onto:
                onto.keep_lists(deliveries)
        cached = deliver_cache(deliveries, kept_at, connect)
        # The digests in a registry, if they went to one: that is where others find the images.
        at = len(deliveries) * outputs.index(RegistryOutput()) if pushes else 0
        if upgrade:
            image_digest = delivered[at].descriptor.digest
            holders = [Reference.parse(name).repository for name in deliveries[0].tags if pushes]
            print(upgrade.write(bundle_place, images[0], image_digest, holders, store, connect))
    for pushed in {item.pushed for item in (*delivered, *cached) if item.pushed}:
        telling.pushed(pushed)
    if metadata_file:
        write_metadata(metadata_file, deliveries, delivered[at : at + len(deliveries)])
    if iidfile:
        write_whole(iidfile, delivered[0].config_digest)
    for place in delivered:
        print(place.reference)
