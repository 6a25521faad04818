"""`imagesmith cache export` and `import`: layers for machines that begin without, such as CI's."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from imagesmith.cli.cache import MaxSize, needed_folder
from imagesmith.cli.command import Argument, Option
from imagesmith.cli.place import CacheDir
from imagesmith.cli.progress import Progress, ProgressMode
from imagesmith.cli.quantity import parse_size, show_size

__all__ = ["export_archive", "import_archive"]


def export_archive(
    file: Annotated[Path, Argument("FILE.tar")],
    recipe: Annotated[
        list[Path] | None,
        Argument(
            "RECIPE",
            help="Only the layers of these recipes' images; lacking ones are built.",
        ),
    ] = None,
    max_size: MaxSize = None,
    cache_dir: CacheDir = None,
    progress: Annotated[
        ProgressMode, Option("--progress", help="How to tell what happens.")
    ] = ProgressMode.AUTO,
) -> None:
    """Write layers to an archive, the last used first.

    The same layers give the same file. Exported bases are not in it.

    Examples:
      imagesmith cache export layers.tar --max-size 500MB
      imagesmith cache export layers.tar imagesmith.yml
    """
    from imagesmith.layer.parcel import export_cache

    most = None if max_size is None else parse_size(max_size, "--max-size")
    folder = needed_folder(cache_dir)
    keys = _keys(recipe, folder, Progress(progress)) if recipe else None
    parcel = export_cache(folder, file, max_size=most, keys=keys)
    print(f"{file}: {parcel.layers} layers, {show_size(parcel.size)}")


def import_archive(
    file: Annotated[Path, Argument("FILE.tar")],
    cache_dir: CacheDir = None,
) -> None:
    """Take the layers of an archive into the cache; each is checked before.

    An archive has to be trusted: it says which layer stands for which code.

    Examples:
      imagesmith cache import layers.tar
    """
    from imagesmith.layer.parcel import import_cache

    parcel = import_cache(needed_folder(cache_dir), file)
    known = f"; {parcel.known} were known" if parcel.known else ""
    print(f"{file}: {parcel.layers} layers taken, {show_size(parcel.size)}{known}")


def _keys(recipes: list[Path], folder: Path, telling: Progress) -> set[str]:
    """The keys of all layers of the recipes' images, which are built where they lack."""
    from imagesmith.base.fetch import fetcher
    from imagesmith.cli.connect import connector
    from imagesmith.cli.find import find_recipe, find_releases
    from imagesmith.cli.make import Maker
    from imagesmith.docker.source import NO_ACCESS
    from imagesmith.layer.cache import Cache
    from imagesmith.layer.running import running
    from imagesmith.layer.store import Scratch

    keys: set[str] = set()
    with ExitStack() as held:
        held.enter_context(running(folder))
        for path in recipes:
            # One a recipe: the release of a `source:` lies at the same place in it.
            made = tempfile.TemporaryDirectory(prefix="imagesmith-")
            scratch = Path(held.enter_context(made))
            cache = Cache(folder, Scratch(scratch), telling.note)
            fetch = fetcher(folder, connector([], []), telling.log)
            wanted = find_recipe(path)
            for found in find_releases(wanted, [], scratch, telling.log, NO_ACCESS):
                image = Maker(cache, telling, fetch, folder).image(wanted, found)
                for layer in image.layers:
                    if layer.key:
                        layer.open().close()  # so that its blob is there, whatever was lost
                        keys.add(layer.key)
    return keys
