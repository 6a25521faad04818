"""The shop as a pet: the image of 0.1.0, and the bundles that lead on from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.shop import SHOP, Shop

__all__ = ["NAME", "Pets", "imagesmith"]

NAME = "shop_all"
"""The release with all four applications, so that every change of state is in it."""

STEPS = (("0.1.0", "0.2.0"), ("0.2.0", "0.3.0"))
"""Each upgrade that there is a bundle for."""

RECIPE = """\
version: 1
name: shop-pet-otp{shop.otp}
release: {{path: {release}}}
base: {shop.base}
env: {{GREETING: from the recipe}}
ports: [4000, 4001]
{pet}
probe: {{http: /healthz, port: 4000}}
"""


@dataclass(frozen=True, slots=True)
class Pets:
    """`image` is a reference of 0.1.0, loaded; `bundles` are files, by the version they bring."""

    otp: str
    image: str
    bundles: Mapping[str, Path]
    releases: Mapping[str, Path]

    @classmethod
    def of(
        cls, shop: Shop, releases: Mapping[str, Path], folder: Path, *, by_hand: bool = False
    ) -> Pets:
        """Build image and bundles of the shop's `versions`, once in this folder. The upgrades go by
        the shop's own appups if `by_hand`, else by generated ones."""
        bundles = {
            after: folder / f"{NAME}-{before}-{after}.upgrade.tar" for before, after in STEPS
        }
        built = folder / "image"
        if not built.exists():
            folder.mkdir(parents=True, exist_ok=True)
            pet = f"pet: {{appups: {SHOP}/appups}}" if by_hand else ""
            recipes = {version: folder / f"{version}.yml" for version in releases}
            for version, release in releases.items():
                recipes[version].write_text(RECIPE.format(shop=shop, release=release, pet=pet))
            image = _build(recipes["0.1.0"], "--load").splitlines()[-1]
            for before, after in STEPS:
                _build(
                    *(recipes[after], "--output", f"type=oci,dest={folder}/{after}.tar"),
                    *("--upgrade-from", releases[before], "--bundle", bundles[after]),
                )
            built.write_text(image)
        return cls(shop.otp, built.read_text(), bundles, releases)


def imagesmith(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imagesmith", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _build(recipe: Path, *options: str | Path) -> str:
    done = imagesmith("build", recipe, "--mode", "pet", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout
