"""Releases of OTP's own applications, as Debian packages them: `lib/*/ebin` of a system."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from imagesmith.beam.release import read_release
from imagesmith.beam.tree import Folder
from imagesmith.plan.code import Running
from tests.trees import App, make_release

__all__ = ["libraries", "running"]

BELOW = ("kernel", "stdlib", "sasl")
"""What every release needs, and no upgrade changes."""


def libraries(lib: Path) -> dict[str, Path]:
    """The applications in a folder by name: those that have an `ebin`."""
    found = {}
    for place in sorted(lib.iterdir()):
        name, _, version = place.name.rpartition("-")
        if version[:1].isdigit() and (place / "ebin").is_dir():
            found[name] = place
    return found


def running(folder: Path, lib: Path, names: Iterable[str], version: str, below: Path) -> Running:
    """A release of the named applications of `lib`, on the foundation of `below`."""
    places = {**{name: libraries(below)[name] for name in BELOW}}
    places |= {name: place for name, place in libraries(lib).items() if name in set(names)}
    applications = [App(name, place.name[len(name) + 1 :]) for name, place in places.items()]
    make_release(folder, name="otp", version=version, applications=applications)
    for app in applications:
        ebin = folder / app.folder / "ebin"
        for file in (places[app.name] / "ebin").iterdir():
            (ebin / file.name).unlink(missing_ok=True)
            shutil.copyfile(file, ebin / file.name)
    return Running(read_release(Folder(folder)))
