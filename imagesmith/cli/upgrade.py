"""`imagesmith upgrade`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Argument, Option
from imagesmith.cli.insecure import InsecureRegistries
from imagesmith.cli.pets import ComposeService, ContainerNames, Drain, Force, Labels
from imagesmith.cli.place import CacheDir, cache_folder

if TYPE_CHECKING:
    from imagesmith.recipe import Recipe
    from imagesmith.upgrade.session import Summary

__all__ = ["upgrade"]

RECIPE = Path("imagesmith.yml")


def upgrade(
    bundle: Annotated[
        str,
        Argument(
            "BUNDLE",
            help="The bundle that `build --upgrade-from` made: FILE, oci:DIR or HOST/NAME:TAG.",
        ),
    ],
    container: ContainerNames = None,
    compose_service: ComposeService = None,
    label: Labels = None,
    recipe: Annotated[
        Path | None,
        Option(
            "--recipe",
            metavar="FILE",
            help="The recipe whose `probe:` and hooks count. Default: imagesmith.yml here, if any.",
        ),
    ] = None,
    watch: Annotated[
        float,
        Option(
            "--watch",
            metavar="SECONDS",
            help="How long to watch supervision trees and the recipe's probe before confirming.",
        ),
    ] = 30,
    no_confirm: Annotated[
        bool,
        Option(
            "--no-confirm",
            help="Leave the new version unconfirmed: until `imagesmith confirm`, a restart boots "
            "the old one.",
        ),
    ] = False,
    drain: Drain = 10,
    force: Force = False,
    insecure_registry: InsecureRegistries = None,
    cache_dir: CacheDir = None,
    as_json: Annotated[bool, Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Upgrade running pets in place: no restart, no dropped connection, no lost state.

    Whatever fails before the installation leaves everything as it was; whatever fails after it is
    taken back. Several containers are upgraded one after the other, up to the first that fails.

    Examples:
      imagesmith upgrade shop-0.1.0-0.2.0.upgrade.tar --container shop
      imagesmith upgrade registry.example/shop:0.1.0-0.2.0 --compose-service web --watch 60
    """
    from imagesmith.cli.connect import connector
    from imagesmith.cli.pets import find_pets, say
    from imagesmith.oci.blobs import BlobDir
    from imagesmith.upgrade.bundle import open_bundle
    from imagesmith.upgrade.group import upgrade_group
    from imagesmith.upgrade.session import Options

    wanted = _recipe(recipe)
    containers = find_pets(container, compose_service, label)
    with tempfile.TemporaryDirectory(prefix="imagesmith-") as scratch:
        store = BlobDir((cache_folder(cache_dir) or Path(scratch)) / "blobs")
        opened = open_bundle(bundle, connector([], insecure_registry or []), store)
        options = Options(
            watch=watch,
            drain=drain,
            confirm=not no_confirm,
            force=force,
            probe=wanted.probe if wanted else None,
            before=wanted.pet.before_upgrade if wanted else (),
            after=wanted.pet.after_upgrade if wanted else (),
        )
        done = upgrade_group(containers, opened, options, say)
    if as_json:
        print(json.dumps([_document(summary) for summary in done], indent=2))
    else:
        for summary in done:
            _print(summary)


def _recipe(given: Path | None) -> Recipe | None:
    from imagesmith.recipe.load import load

    if given is not None:
        return load(given)
    return load(RECIPE) if RECIPE.exists() else None


def _document(summary: Summary) -> dict[str, object]:
    installed = summary.installed
    return {
        "container": summary.container,
        "from": summary.before,
        "to": summary.after,
        "done": "nothing" if summary.nothing else "upgraded",
        "confirmed": summary.confirmed,
        "modules": summary.modules,
        "install_seconds": installed.seconds if installed else None,
        "suspended": len(installed.pauses) if installed and installed.pauses is not None else None,
        "longest_pause_seconds": installed.longest if installed and installed.pauses else None,
        "bytes": summary.bytes,
        "image": summary.image,
    }


def _print(summary: Summary) -> None:
    from imagesmith.cli.quantity import show_size

    if summary.nothing:
        print(f"{summary.container}: {summary.after} already, and permanent: nothing to do")
        return
    installed = summary.installed
    words = [f"{summary.modules} modules", show_size(summary.bytes)]
    if installed:
        words.append(f"installed in {installed.seconds * 1000:,.0f} ms")
        if installed.pauses is None:
            words.append("pauses not measured (somebody else traces release_handler)")
        elif installed.pauses:
            words.append(
                f"{len(installed.pauses)} processes suspended, the longest for "
                f"{installed.longest * 1000:,.1f} ms"
            )
        else:
            words.append("no process suspended")
    end = "permanent" if summary.confirmed else "not confirmed: a restart boots the old version"
    print(f"{summary.container}: {summary.before} to {summary.after}, {end}: {', '.join(words)}")
    if summary.confirmed:
        print(
            f"  for containers made from now on, declare the image of {summary.after}: "
            f"{summary.image}"
        )
