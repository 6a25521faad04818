"""`plan --history`: which releases are meant, their order, and the steps between them."""

from __future__ import annotations

import glob
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.errors import ImagesmithError, UsageError

if TYPE_CHECKING:
    from imagesmith.cli.sides import Opener
    from imagesmith.plan.history import History, Step

__all__ = ["read_history"]

HINT = "Name a folder of releases (folders, .tar.gz, image archives or layouts), or a pattern."


def read_history(
    wanted: str, opener: Opener, appups: Path | None, warn: Callable[[str], None]
) -> History:
    """Plan each step between neighbours; releases of many names are as many rows of steps.

    What names no release, or a broken one, is left out, and `warn` told why. Raises UsageError
    unless there are two to plan between.
    """
    from imagesmith.plan.history import History, version_order

    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for path in _paths(wanted):
        try:
            with opener.open(str(path)) as opened:
                release = opened.release
                same = rows[release.name].setdefault(release.version, str(path))
                if same != str(path):
                    warn(f"{path}: left out: {release.name} {release.version} is {same} already")
        except ImagesmithError as error:
            warn(f"{path}: left out: {error.message}")
    steps: list[Step] = []
    for _, row in sorted(rows.items()):
        places = [row[version] for version in sorted(row, key=version_order)]
        steps += _steps(places, opener, appups)
    if not steps:
        raise UsageError(f"--history {wanted}: there are no two versions of one release", hint=HINT)
    return History(tuple(steps))


def _paths(wanted: str) -> list[Path]:
    folder = Path(wanted)
    if folder.is_dir():
        return sorted(
            path
            for path in folder.iterdir()
            if path.name.endswith((".tar.gz", ".tar")) or _is_release(path)
        )
    # Path.glob takes no absolute pattern.
    return [Path(found) for found in sorted(glob.glob(wanted, recursive=True))]  # noqa: PTH207


def _is_release(path: Path) -> bool:
    return (path / "releases/start_erl.data").is_file() or (path / "oci-layout").is_file()


def _steps(places: list[str], opener: Opener, appups: Path | None) -> Iterator[Step]:
    """Two releases are open at a time."""
    from imagesmith.plan.code import Running
    from imagesmith.plan.history import Step
    from imagesmith.plan.plan import make_plan

    with ExitStack() as last:
        before: Running | None = None
        for place in places:
            opened = ExitStack()
            after = Running(opened.enter_context(opener.open(place)).release)
            if before is not None:
                yield Step.of(make_plan(before, after, appups))
            last.close()
            last.push(opened)
            before = after
