"""Which files of the release an image changes: the start, and the cookie in `vm.args`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from imagesmith.beam.release import Release
from imagesmith.beam.tool import Tool
from imagesmith.beam.tree import File
from imagesmith.errors import ReleaseError
from imagesmith.image.start import with_prelude, with_script_prelude
from imagesmith.image.vm_args import VmArgs, is_vm_args, read_vm_args

__all__ = ["adapted", "vm_args_of"]

Change = Callable[[bytes], bytes]


def adapted(release: Release) -> Callable[[str], Change | None]:
    """By a file's path: what changes it on its way into the image, or None.

    Raises ReleaseError if there is no start script to change.
    """
    changes: dict[str, Change] = dict.fromkeys(vm_args_of(release), _without_cookie)
    if release.tool is Tool.MIX:
        changes[_file(release, f"{release.folder}/env.sh")] = with_prelude
        return changes.get
    change = partial(
        with_script_prelude,
        version=release.version,
        variables=cookie_variables(release),
        relx=release.tool is Tool.RELX,
    )
    changes |= dict.fromkeys(_start_scripts(release), change)
    return changes.get


def vm_args_of(release: Release) -> dict[str, VmArgs]:
    """What each vm.args of the release says, by path."""
    return {
        path: read_vm_args(release.tree.read(path))
        for path in release.paths
        if is_vm_args(path, release.folder) and isinstance(release.tree.entries[path], File)
    }


def cookie_variables(release: Release) -> tuple[str, ...]:
    """The environment variables that give a release of relx or Distillery its cookie by itself."""
    given = ("RELX_COOKIE",) if release.tool is Tool.RELX else ()
    said = (name for found in vm_args_of(release).values() for name in found.cookie_variables)
    return tuple(name for name in dict.fromkeys((*given, *said)) if name != "RELEASE_COOKIE")


def _without_cookie(data: bytes) -> bytes:
    return read_vm_args(data).without_cookie


def _start_scripts(release: Release) -> list[str]:
    """`bin/NAME`, and relx's `bin/NAME-VSN`, its copy or what it links to."""
    names = [f"bin/{release.name}"]
    if release.tool is Tool.RELX:
        names.append(f"bin/{release.name}-{release.version}")
    found = [path for path in names if isinstance(release.tree.entries.get(path), File)]
    return found or [_file(release, names[0])]


def _file(release: Release, path: str) -> str:
    if not isinstance(release.tree.entries.get(path), File):
        raise ReleaseError(
            f"{release.tree.name}: there is no {path} to start the release with",
            hint="Build the release anew, and let no step of it make a link of this file.",
        )
    return path
