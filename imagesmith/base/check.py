"""The check: whether a base carries a release, found out before anything is written."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from imagesmith.base.advice import Adviser
from imagesmith.base.base import PATH, SystemErlang
from imagesmith.base.binaries import Binaries
from imagesmith.base.erlang import check_erlang
from imagesmith.base.finding import Finding
from imagesmith.base.loader import MISSING, Loader
from imagesmith.base.sysroot import Sysroot

__all__ = ["PATH", "PET_TOOLS", "SystemErlang", "check", "shells", "strangers"]

SHELL = "/bin/sh"
TOOLS = tuple("awk cat cut date dd dirname grep ln mkdir od readlink rm sed tr".split())
"""What the scripts of mix, relx and ERTS, and our lines in env.sh, call on the way to a VM."""

PET_TOOLS = tuple("chmod cp df du id ls mv rmdir sync tar".split())
"""What the entrypoint of a pet calls besides, and an upgrade that is brought to it."""

SHELLS = ("bash", "ksh", "zsh")
"""Other shells that a start script may be written for (Distillery's: bash)."""


def check(
    root: Sysroot,
    binaries: Binaries,
    *,
    path: str = PATH,
    erlang: SystemErlang | None = None,
    pet: bool = False,
) -> list[Finding]:
    """Everything in the release that would not run on an image of these files.

    `path` is the PATH of the image; `erlang` is what a release without ERTS needs; `pet` is whether
    the image takes upgrades.
    """
    adviser = Adviser.of(root, minimal=False)
    loader = Loader(root, binaries.files, adviser, binaries.files.get(binaries.vm or ""))
    findings = [*strangers(binaries), *loader.load_all()]
    tools = (*TOOLS, *PET_TOOLS) if pet else TOOLS
    findings += _scripts(root, binaries.scripts, path, adviser, tools)
    if erlang:
        wanted, names = erlang.erts_version, erlang.applications
        findings += check_erlang(root, path, wanted, names, adviser)
    return findings


def strangers(binaries: Binaries) -> list[Finding]:
    """Files that are for another platform than the VM."""
    vm = str(binaries.platform)
    return [
        Finding(file, f"{platform} to run", f"but the VM is for {vm}", Adviser.platform(vm))
        for file, platform in binaries.strangers.items()
    ]


def shells(scripts: Mapping[str, str]) -> dict[str, str]:
    """The scripts that want another shell than sh, and which: a path, or a name to look for."""
    found: dict[str, str] = {}
    for script, line in scripts.items():
        words = line.split()
        wanted = words[1] if len(words) > 1 and words[0].endswith("/env") else "".join(words[:1])
        if posixpath.basename(wanted) in SHELLS:
            found[script] = wanted
    return found


def _scripts(
    root: Sysroot,
    scripts: Mapping[str, str],
    path: str,
    adviser: Adviser,
    tools: Sequence[str],
) -> Iterator[Finding]:
    """The shell and the commands that the image lacks; of an image without a shell only that."""
    folders = [folder for folder in path.split(":") if folder]

    def has(command: str) -> bool:
        places = [command] if "/" in command else [f"{folder}/{command}" for folder in folders]
        return any(root.file(place) for place in places)

    if not has(SHELL):
        yield Finding("the release", f"a shell at {SHELL}", MISSING, adviser.tools())
        return
    for tool in tools:
        if not has(tool):
            yield Finding("the release", f"the command {tool}", MISSING, adviser.tools())
    for script, shell in shells(scripts).items():
        if not has(shell):
            yield Finding(script, shell, MISSING, adviser.shell(shell))
