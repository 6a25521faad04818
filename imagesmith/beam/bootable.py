"""Whether a release has what its start needs: an image of it would otherwise die at once."""

from __future__ import annotations

from collections.abc import Iterator

from imagesmith.beam.release import REBUILD, Release
from imagesmith.beam.tool import Tool
from imagesmith.beam.tree import File, Link, show_path
from imagesmith.errors import ReleaseError

__all__ = ["check_bootable"]

SHOWN = 5


def check_bootable(release: Release) -> None:
    """Raise ReleaseError, with everything that is missing, if the release cannot start."""
    problems = [*_script(release), *_boot(release), *_modules(release)]
    if problems:
        more = [f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise ReleaseError(
            f"{release.tree.name}: this release cannot start:\n  "
            + "\n  ".join([*problems[:SHOWN], *more]),
            hint=REBUILD,
        )


def _script(release: Release) -> Iterator[str]:
    path = f"bin/{release.name}"
    match release.tree.entries.get(path):
        case File(executable=False):
            yield f"{path} is not executable (an upload may have lost its mode)"
        case File() | Link():
            pass
        case _:
            yield f"{path} is missing"


def _boot(release: Release) -> Iterator[str]:
    names = ["sys.config", "sys.config.src"]
    found = [release.tree.entries.get(f"{release.folder}/{name}") for name in names]
    if found == [File(0, executable=False), None]:
        yield f"{release.folder}/sys.config is empty"
    if release.tool is Tool.MIX:
        boot = release.tree.entries.get(f"{release.folder}/start.boot")
        if not isinstance(boot, File):
            yield f"{release.folder}/start.boot is missing"
        elif boot.size == 0:
            yield f"{release.folder}/start.boot is empty"


def _modules(release: Release) -> Iterator[str]:
    """In embedded mode the boot script loads every module that an `.app` file lists."""
    for application in release.applications:
        for module in application.modules:
            path = f"{application.folder}/ebin/{module}.beam"
            if path not in release.tree.entries:
                yield f"{show_path(path)} is missing, which {application.name}.app lists"
