"""The kiosk as a pet: the image of its first release, and the bundles that lead on from it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.pairs.builds import AT_ONCE, KIOSK, Kiosk
from tests.pairs.expected import HOT
from tests.pairs.pair import Pair
from tests.pet.pets import imagesmith

__all__ = ["Road", "answers", "build_pet", "build_road"]

RECIPE = """\
version: 1
name: kiosk
release: {{path: {release}}}
base: {{minimal: {{sysroot: /}}}}
ports: [4000, 4001]
probe: {{http: /, port: 4000}}
pet: {{{appups}}}
"""


@dataclass(frozen=True, slots=True)
class Road:
    """`image` is a reference of the first release, loaded; each bundle leads to the next stop."""

    image: str
    bundles: Sequence[Path]


def build_road(kiosk: Kiosk, stops: Sequence[Pair], folder: Path) -> Road:
    """Build the image, and a bundle from each stop to the next; a stop is a hot pair's NEW."""
    done = build_pet(kiosk.first, folder / "first.yml", "--load")
    assert done.returncode == 0, done.stderr
    releases = [kiosk.first, *(kiosk.after(pair) for pair in stops)]

    def lead(number: int) -> Path:
        bundle = folder / f"{number}.upgrade.tar"
        options = ("--upgrade-from", releases[number], "--bundle", bundle)
        layout = f"type=oci,tar=false,dest={folder}/{number}.oci"
        recipe = folder / f"{number}.yml"
        led = build_pet(releases[number + 1], recipe, *options, "--output", layout)
        assert led.returncode == 0, led.stderr
        return bundle

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Road(done.stdout.splitlines()[-1], list(pool.map(lead, range(len(stops)))))


def build_pet(
    release: Path, recipe: Path, *options: str | Path, appups: str | None = None
) -> subprocess.CompletedProcess[str]:
    """`imagesmith build --mode pet` of a release, by a recipe that is written for it."""
    folder = f"appups: {KIOSK}/appups/{appups}" if appups else ""
    recipe.write_text(RECIPE.format(release=release, appups=folder))
    return imagesmith("build", recipe, "--mode", "pet", *options)


def answers(at: Pair | None) -> dict[str, str]:
    """What each expression that a hot pair asks has to give where the road has come to `at`; None
    is its beginning."""
    passed = HOT[: HOT.index(at) + 1] if at else ()
    found: dict[str, str] = {}
    for pair in HOT:
        for ask in pair.asks:
            if pair in passed:
                found[ask.expression] = ask.after
            else:
                found.setdefault(ask.expression, ask.before)
    return found
