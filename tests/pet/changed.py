"""The same project twice: one module is another in the second, and no version was bumped."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.echo import build_echo
from tests.shop import Shop, build_in_root, copy_source

__all__ = ["build_changed_echo", "build_changed_shop"]

PAGES = "apps/web/lib/web/pages.ex"
COUNTER = "apps/echo/src/echo_counter.erl"


def build_changed_shop(shop: Shop, name: str, folder: Path) -> Path:
    """The shop's release NAME, of which `/` says `"flavour": "new"`."""
    copy_source(folder)
    change(folder / PAGES, 'app: "shop",', 'app: "shop",\n      flavour: "new",')
    if shop.sysroot == Path("/"):
        command = [str(folder / "build"), "--release", name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    else:
        build_in_root(shop.sysroot, folder, "--release", name)
    return folder / "_build/prod/rel" / name


def build_changed_echo(folder: Path) -> Path:
    """The echo's release, which counts each line twice."""
    work = folder / "work"
    release = build_echo("--work", str(work))
    change(work / COUNTER, "Count + 1", "Count + 2")
    command = ["rebar3", "release"]
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
    return release


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
