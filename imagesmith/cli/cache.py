"""`imagesmith cache`: what is in the layer cache, whether it is whole, and how to make room."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Option
from imagesmith.cli.place import CacheDir, cache_folder
from imagesmith.cli.quantity import parse_age, parse_size, show_age, show_size
from imagesmith.errors import OutputError, UsageError

if TYPE_CHECKING:
    from imagesmith.layer.contents import Item
    from imagesmith.oci.spec import Json

__all__ = ["MaxSize", "list_items", "needed_folder", "prune", "stats", "verify"]

AsJson = Annotated[bool, Option("--json", help="Print JSON.")]
MaxSize = Annotated[
    str | None, Option("--max-size", metavar="SIZE", help="Bytes to keep at most: 2GB, 512MiB, 0.")
]


def list_items(cache_dir: CacheDir = None, as_json: AsJson = False) -> None:
    """List layers and exported bases, the last used first.

    Examples:
      imagesmith cache ls
      imagesmith cache ls --json
    """
    from imagesmith.layer.contents import MEMO, contents

    found = contents(needed_folder(cache_dir))
    items = [item for item in reversed(found) if item.group != MEMO]
    if as_json:
        _print_json([_document(item) for item in items])
        return
    now = time.time()
    _print_table(
        ("group", "layer", ">size", "used", "digest"),
        [
            (
                item.group,
                item.name,
                show_size(item.size),
                show_age(now - item.used),
                item.digest[:19],
            )
            for item in items
        ],
    )


def stats(cache_dir: CacheDir = None, as_json: AsJson = False) -> None:
    """Count layers and bytes, by group.

    Examples:
      imagesmith cache stats
    """
    from imagesmith.layer.contents import contents

    folder = needed_folder(cache_dir)
    items = contents(folder)
    groups: dict[str, tuple[int, int]] = {}
    for item in items:
        count, size = groups.get(item.group, (0, 0))
        groups[item.group] = (count + 1, size + item.size)
    total = sum(item.size for item in items)
    if as_json:
        _print_json(
            {
                "folder": str(folder),
                "items": len(items),
                "entries": sum(len(item.entries) for item in items),
                "bytes": total,
                "oldest": min((item.used for item in items), default=None),
                "groups": {
                    name: {"items": count, "bytes": size}
                    for name, (count, size) in sorted(groups.items())
                },
            }
        )
        return
    rows = [(name, str(count), show_size(size)) for name, (count, size) in sorted(groups.items())]
    _print_table(("group", ">layers", ">size"), [*rows, ("all", str(len(items)), show_size(total))])
    if items:
        print(f"least recently used: {show_age(time.time() - items[0].used)}")
    print(str(folder))


def verify(
    cache_dir: CacheDir = None,
    repair: Annotated[bool, Option("--repair", help="Remove what is damaged.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check every entry, blob and exported base; exit code 1 if one is damaged.

    Builds check what they read, and take what is damaged for missing: nothing has to be repaired.

    Examples:
      imagesmith cache verify
      imagesmith cache verify --repair
    """
    from imagesmith.layer.verify import repair as remove_damages
    from imagesmith.layer.verify import verify as check

    folder = needed_folder(cache_dir)
    report = check(folder)
    if repair:
        try:
            remove_damages(report)
        except OSError as error:
            raise _unwritable(folder, error) from None
    if as_json:
        _print_json(
            {
                "entries": report.entries,
                "blobs": report.blobs,
                "bases": report.bases,
                "repaired": repair,
                "damages": [
                    {"path": str(damage.path), "reason": damage.reason} for damage in report.damages
                ],
            }
        )
    else:
        for damage in report.damages:
            print(f"{damage.path}: {damage.reason}")
        what = "removed" if repair else "damaged"
        print(
            f"{report.entries} entries, {report.blobs} blobs, {report.bases} exported bases; "
            f"{len(report.damages)} {what}"
        )
    return 1 if report.damages else 0


def prune(
    max_size: MaxSize = None,
    older_than: Annotated[
        str | None,
        Option("--older-than", metavar="AGE", help="Remove what was not used for: 30d, 12h."),
    ] = None,
    cache_dir: CacheDir = None,
    as_json: AsJson = False,
) -> None:
    """Make room: the least recently used goes first, and nothing that a running build uses.

    Examples:
      imagesmith cache prune --max-size 2GB --older-than 30d
      imagesmith cache prune --max-size 0
    """
    from imagesmith.layer.prune import prune as make_room

    if max_size is None and older_than is None:
        raise UsageError(
            "cache prune: nothing says what to remove",
            hint="Say `--max-size 2GB`, `--older-than 30d` or both; `--max-size 0` is everything.",
        )
    most = None if max_size is None else parse_size(max_size, "--max-size")
    age = None if older_than is None else parse_age(older_than, "--older-than")
    folder = needed_folder(cache_dir)
    try:
        pruned = make_room(
            folder, max_size=most, unused_since=None if age is None else time.time() - age
        )
    except OSError as error:
        raise _unwritable(folder, error) from None
    freed = sum(item.size for item in pruned.removed)
    if as_json:
        _print_json(
            {
                "removed": [_document(item) for item in pruned.removed],
                "freed": freed,
                "left": pruned.left,
                "in_use": pruned.in_use,
            }
        )
        return
    _print_table(
        ("group", "removed", ">size"),
        [(item.group, item.name, show_size(item.size)) for item in pruned.removed],
    )
    print(f"{show_size(freed)} removed, {show_size(pruned.left)} left")
    if pruned.in_use and (most is None or pruned.left > most):
        print(f"{show_size(pruned.in_use)} may be in use by builds that run")


def needed_folder(given: Path | None) -> Path:
    """The cache folder. Raises UsageError where there is none."""
    folder = cache_folder(given)
    if folder is None:
        raise UsageError("there is no home folder with a cache", hint="Name one with --cache-dir.")
    return folder


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{error.filename or folder}: cannot be removed: {error.strerror or error}")


def _document(item: Item) -> Json:
    return {
        "group": item.group,
        "name": item.name,
        "digest": item.digest,
        "bytes": item.size,
        "used": int(item.used),
        "entries": [
            {
                "key": entry.key,
                "diff_id": entry.diff_id,
                "codec": entry.codec,
                "holders": list(entry.holders),
            }
            for entry in item.entries
        ],
    }


def _print_json(document: Json) -> None:
    print(json.dumps(document, indent=2))


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table on stdout; a column whose name starts with > is set right."""
    if not rows:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
