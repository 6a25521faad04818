"""The kiosk's releases, one a pair, really built by mix: each once for its sources.

The hot pairs follow one another: each has the one before it as its OLD, so that one node can go
all the way. The others start from the first release.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.pairs.edits import EDITS
from tests.pairs.expected import HOT, REFUSED
from tests.pairs.pair import Pair
from tests.shop import REPO

__all__ = ["APPLICATIONS", "KIOSK", "Kiosk", "build_kiosk"]

KIOSK = REPO / "fixtures/pairs"
NAME = "kiosk"
APPLICATIONS = ("stock", "till", "front")
AT_ONCE = 2
FIRST = "0.1.0"


@dataclass(frozen=True, slots=True)
class Kiosk:
    """The folder of releases, by the pair's name; `first` is where all of them start."""

    first: Path
    releases: dict[str, Path]

    def before(self, pair: Pair) -> Path:
        """The OLD of a pair."""
        if pair not in HOT or pair is HOT[0]:
            return self.first
        return self.releases[HOT[HOT.index(pair) - 1].name]

    def after(self, pair: Pair) -> Path:
        return self.releases[pair.name]


@dataclass(frozen=True, slots=True)
class Variant:
    """Sources of one release: the patches on the first, and each application's version."""

    name: str
    patches: tuple[str, ...]
    version: str
    versions: dict[str, str]

    def digest(self, elixir: str) -> str:
        """Of all that it is made of, and by."""
        made_of = (elixir, self.patches, self.version, self.versions)
        found = hashlib.sha256(repr(made_of).encode())
        files = [path for path in sorted((KIOSK / "base").rglob("*")) if path.is_file()]
        for path in (*files, *(_patch(name) for name in self.patches)):
            found.update(str(path.relative_to(KIOSK)).encode() + b"\0" + path.read_bytes())
        return found.hexdigest()[:16]


def build_kiosk() -> Kiosk:
    """Build what has not been built of these sources; what else lies there goes away."""
    build = KIOSK / "_build"
    elixir = subprocess.check_output(["elixir", "--version"], stderr=subprocess.DEVNULL, text=True)
    first, *variants = found = _variants()
    places = {item.name: build / f"rel/{item.name}-{item.digest(elixir)}" for item in found}
    _keep_only(set(places.values()), build / "rel")
    missing = [item for item in variants if not places[item.name].exists()]
    work = build / "work"
    if missing or not places[first.name].exists():
        shutil.rmtree(work, ignore_errors=True)
        _make(first, KIOSK / "base", work / first.name, places[first.name])
        time.sleep(1)  # mix compares times in seconds: what is patched has to be newer
        with ThreadPoolExecutor(AT_ONCE) as pool:
            made = [
                pool.submit(_make, item, work / first.name, work / item.name, places[item.name])
                for item in missing
            ]
            for one in made:
                one.result()
        shutil.rmtree(work)
    releases = {item.name: places[item.name] for item in variants}
    for pair in REFUSED:
        if pair.edits:
            source = releases[HOT[0].name]
            releases[pair.name] = build / f"edited/{source.name}/{pair.name}"
            if not releases[pair.name].exists():
                _edit(pair.edits, source, releases[pair.name])
    return Kiosk(places[first.name], releases)


def _variants() -> list[Variant]:
    """The first release, those of the hot pairs on each other, and the others on the first."""
    patches: tuple[str, ...] = ()
    versions = dict.fromkeys(APPLICATIONS, FIRST)
    found = [Variant("first", patches, FIRST, versions)]
    for number, pair in enumerate(HOT, 2):
        version = f"0.{number}.0"
        patches = (*patches, *_patches(pair))
        versions = versions | dict.fromkeys(pair.bumps, version)
        found.append(Variant(pair.name, patches, version, versions))
    for pair in REFUSED:
        if pair.edits is None:
            bumped = found[0].versions | dict.fromkeys(pair.bumps, "0.2.0")
            found.append(Variant(pair.name, _patches(pair), "0.2.0", bumped))
    return found


def _patches(pair: Pair) -> tuple[str, ...]:
    name = pair.patch or pair.name
    return (name,) if _patch(name).exists() else ()


def _patch(name: str) -> Path:
    return KIOSK / f"patches/{name}.patch"


def _make(variant: Variant, source: Path, work: Path, place: Path) -> None:
    """Build a release of a copy of the source, with what was compiled there."""
    shutil.copytree(source, work, symlinks=True, ignore=shutil.ignore_patterns("rel"))
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("MIX_", "GIT_"))},
        "MIX_ENV": "prod",
        "MIX_HOME": str(work / "_build/mix"),
        "HEX_OFFLINE": "1",
        "LC_ALL": "C.UTF-8",
        "ELIXIR_ERL_OPTIONS": "+S 1:1",  # two run at once
        "GIT_CEILING_DIRECTORIES": str(work.parent),
    }
    for patch in variant.patches:
        _run(["git", "apply", str(_patch(patch))], work, environment)
    (work / "VERSION").write_text(f"{variant.version}\n")
    for application, version in variant.versions.items():
        (work / f"apps/{application}/VERSION").write_text(f"{version}\n")
        # mix makes no other of it for a number in a file of ours.
        (work / f"_build/prod/lib/{application}/ebin/{application}.app").unlink(missing_ok=True)
    made = work.with_name(f"{work.name}.release")
    _run(["mix", "release", NAME, "--quiet", "--path", str(made)], work, environment)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():  # the first release is compiled for the others' sake, too
        made.rename(place)


def _edit(name: str, source: Path, to: Path) -> None:
    """A copy whose files are links to the source's, until they are written anew."""
    half = to.with_name(f"{to.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(source, half, symlinks=True, copy_function=os.link)
    EDITS[name](half)
    half.rename(to)


def _keep_only(places: set[Path], folder: Path) -> None:
    for path in folder.iterdir() if folder.exists() else ():
        if path not in places:
            shutil.rmtree(path)
    edited = folder.with_name("edited")
    names = {path.name for path in places}
    for path in edited.iterdir() if edited.exists() else ():
        if path.name not in names:
            shutil.rmtree(path)


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)} in {folder}:\n{done.stdout}"
