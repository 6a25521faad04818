"""Which tool made a release, told by what it leaves there and no other does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from imagesmith.beam.tree import Entry, File, Tree
from imagesmith.errors import ReleaseError

__all__ = ["Tool", "ToolVerdict", "find_tool", "left_by_packing"]

SCRIPT_BYTES = 1 << 20
RELX_SCRIPT = (b"relx_usage", b"find_erts_dir")
"""Functions of relx's start scripts: the first of the extended one, the second of both."""


class Tool(StrEnum):
    """The tools that make releases."""

    MIX = "mix"
    DISTILLERY = "distillery"
    RELX = "relx"


@dataclass(frozen=True, slots=True)
class ToolVerdict:
    """A tool and the fact that told."""

    tool: Tool
    because: str


def find_tool(tree: Tree, name: str, version: str) -> ToolVerdict:
    """The tool that made the release NAME of VERSION. Raises ReleaseError if it is none we know."""
    folder = f"releases/{version}"
    entries = tree.entries
    if f"{folder}/env.sh" in entries:
        return ToolVerdict(Tool.MIX, f"`mix release` writes {folder}/env.sh")
    if _is_file(entries, f"{folder}/{name}.sh"):
        return ToolVerdict(Tool.DISTILLERY, f"Distillery writes {folder}/{name}.sh")
    script = f"bin/{name}"
    for path in (script, f"{script}-{version}"):  # relx: copies, or the first a link
        if not _is_file(entries, path):
            continue
        text = tree.read(path, SCRIPT_BYTES)
        if RELX_SCRIPT[0] in text:
            return ToolVerdict(Tool.RELX, f"{script} is relx's extended start script")
        if RELX_SCRIPT[1] in text:
            raise ReleaseError(
                f"{tree.name}: {script} is relx's short start script, which has no `foreground`, "
                "no `rpc` and fills in no ${VARIABLES}",
                hint="Write {extended_start_script, true} into relx's part of rebar.config.",
            )
    if f"{folder}/env.bat" in entries:
        raise ReleaseError(
            f"{tree.name}: there is no {folder}/env.sh: this release is for Windows alone",
            hint="Write `include_executables_for: [:unix]` into the release in mix.exs.",
        )
    raise ReleaseError(
        f"{tree.name}: no tool that we know made this release: it has no {folder}/env.sh "
        f"(`mix release`), no {folder}/{name}.sh (Distillery), and {script} is no script of relx",
        hint="Build it with `mix release`, `rebar3 release` (its {extended_start_script, true}) "
        "or Distillery.",
    )


def left_by_packing(tool: Tool, name: str, path: str) -> bool:
    """Whether the file is the release's own tarball, which relx and Distillery put into it."""
    if tool is Tool.MIX or not path.endswith(".tar.gz"):
        return False
    folder, _, file = path.rpartition("/")
    if not folder:  # relx: NAME-VSN.tar.gz in the release's root
        return file.startswith(f"{name}-")
    # What release_handler is to unpack: releases/NAME-VSN.tar.gz, releases/VSN/NAME[-VSN].tar.gz.
    in_releases = folder == "releases" or (
        folder.startswith("releases/") and folder.count("/") == 1
    )
    return in_releases and (file == f"{name}.tar.gz" or file.startswith(f"{name}-"))


def _is_file(entries: Mapping[str, Entry], path: str) -> bool:
    return isinstance(entries.get(path), File)
