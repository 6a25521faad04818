"""`imagesmith inspect`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from imagesmith.beam.release import Application, Release

from imagesmith.cli.command import Argument, Option

__all__ = ["inspect"]


def inspect(
    release: Annotated[
        Path | None,
        Argument(
            "RELEASE",
            help="A release's folder, or a recipe that names it. Default: as for build.",
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a release: its applications, whose each is, and why we think so.

    Examples:
      imagesmith inspect _build/prod/rel/shop
    """
    from imagesmith.cli.find import find_recipe, find_releases
    from imagesmith.cli.make import read
    from imagesmith.docker.access import NO_ACCESS

    recipe = find_recipe(release)
    with tempfile.TemporaryDirectory(prefix="imagesmith-") as scratch:
        places = find_releases(recipe, [], Path(scratch), lambda _: None, NO_ACCESS)
        found = [read(recipe, place) for place in places]
        if as_json:
            documents = [_document(item) for item in found]
            print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
        else:
            for item in found:
                _print(item)


def _document(release: Release) -> dict[str, object]:
    return {
        "name": release.name,
        "version": release.version,
        "tool": release.tool,
        "because": release.made_by.because,
        "erts": release.erts_version,
        "has_erts": release.has_erts,
        "path": release.tree.name,
        "applications": [
            {
                "name": app.name,
                "version": app.version,
                "origin": app.origin,
                "because": app.verdict.because,
                "modules": len(app.modules),
                "bytes": _bytes(release, app),
            }
            for app in release.applications
        ],
    }


def _print(release: Release) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{release.name} {release.version}, made by {release.tool}, "
        f"{'ERTS' if release.has_erts else 'without ERTS'} {release.erts_version}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for heading in ("application", "version", "origin", "because"):
        table.add_column(heading)
    for heading in ("modules", "kB"):
        table.add_column(heading, justify="right")
    for app in release.applications:
        table.add_row(
            *(app.name, app.version, app.origin, app.verdict.because),
            *(str(len(app.modules)), f"{_bytes(release, app) / 1000:,.0f}"),
        )
    Console(highlight=False, markup=False).print(table)


def _bytes(release: Release, app: Application) -> int:
    from imagesmith.beam.tree import File

    sizes = (
        entry.size
        for path, entry in release.tree.entries.items()
        if isinstance(entry, File) and path.startswith(f"{app.folder}/")
    )
    return sum(sizes)
