"""Releases that differ a little, and caches to attack."""

from __future__ import annotations

import fcntl
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cache.builds import Variant, build, copy_release
from tests.shop import Shop

SOURCE = """\
-module(core_variant).
-export([answer/0]).
answer() -> 42.
"""


def _with_module(release: Path) -> None:
    """One more module in an own application, compiled by this machine's Erlang."""
    ebin = next(release.glob("lib/core-*/ebin"))
    source = ebin / "core_variant.erl"
    source.write_text(SOURCE)
    subprocess.run(["erlc", "+deterministic", "-o", ebin, source], check=True)
    source.unlink()


def _with_assets(release: Path) -> None:
    """Some megabytes in an own application's priv, half of which compresses well."""
    numbers = random.Random("assets")
    assets = next(release.glob("lib/web-*")) / "priv/assets"
    assets.mkdir(parents=True)
    for number in range(4):
        data = numbers.randbytes(512 << 10) + bytes(512 << 10)
        (assets / str(number)).write_bytes(data)


@pytest.fixture(scope="session")
def variants(shop: Shop, session_folder: Path) -> tuple[Variant, ...]:
    """Releases of one umbrella, and of one release with a change; each with its right digest."""
    folder = session_folder / "variants"
    with (session_folder / "variants.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = folder / "digests.json"
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            made.write_text(json.dumps(_make(shop, folder)))
        digests: dict[str, tuple[str, str]] = json.loads(made.read_text())
    return tuple(Variant(name, Path(at), digest) for name, (at, digest) in digests.items())


def _make(shop: Shop, folder: Path) -> dict[str, tuple[str, str]]:
    releases = {
        "web": shop.web,
        "worker": shop.worker,
        "all": shop.all,
        "module": copy_release(shop.web, folder / "module", _with_module),
        "assets": copy_release(shop.web, folder / "assets", _with_assets),
    }
    found = {}
    for name, release in releases.items():
        built = build(release, folder / f"{name}.oci", folder / "reference cache")
        found[name] = (str(release), built.digest)
        if name == "web":
            shutil.copytree(folder / "reference cache", folder / "web cache")
    # The first build found an empty cache; another one alone agrees with it on the last.
    alone = build(releases["assets"], folder / "alone.oci", folder / "another cache")
    assert alone.digest == found["assets"][1]
    return found


@pytest.fixture(scope="session")
def filled(variants: tuple[Variant, ...], session_folder: Path) -> Path:
    """A cache that holds every layer of the variants; to be copied, never to be changed."""
    return session_folder / "variants/reference cache"


@pytest.fixture
def web(variants: tuple[Variant, ...]) -> Variant:
    return variants[0]


@pytest.fixture
def copied(filled: Path, tmp_path: Path) -> Path:
    """A copy of the filled cache, to do with as one likes."""
    return Path(shutil.copytree(filled, tmp_path / "cache", symlinks=True))


@pytest.fixture
def web_cache(variants: tuple[Variant, ...], session_folder: Path, tmp_path: Path) -> Path:
    """A copy of a cache that holds the layers of the first variant and nothing else."""
    return Path(shutil.copytree(session_folder / "variants/web cache", tmp_path / "cache"))
