"""The shop as cattle images, loaded into the engine that answers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import one_at_a_time
from tests.docker import run
from tests.pet.pets import Pets
from tests.shop import Shop

RECIPE = """\
version: 1
name: shop-otp{otp}
releases:
  web: {{path: {shop.web}}}
  worker: {{path: {shop.worker}}}
  all: {{path: {shop.all}}}
base: {shop.base}
env: {{GREETING: from the recipe}}
ports: [4000, 4001]
"""


@dataclass(frozen=True, slots=True)
class Images:
    """References of the loaded images, and the shop that they are of."""

    shop: Shop
    web: str
    worker: str
    all: str


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Without an engine these tests fail: a skip would hide that nothing was tried."""
    done = run("version", "--format", "{{.Server.Version}}")
    assert done.returncode == 0, f"no Docker engine answers; see .ci/engine\n{done.stderr}"


def imagesmith(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imagesmith", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@pytest.fixture(scope="session", params=["otp25", "otp27"])
def images(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Images:
    name = "shop" if request.param == "otp25" else "shop_otp27"
    shop: Shop = request.getfixturevalue(name)
    folder = tmp_path_factory.mktemp("images")
    (folder / "shop.yml").write_text(RECIPE.format(otp=shop.otp, shop=shop))
    done = imagesmith("build", "shop.yml", "--load", cwd=folder)
    assert done.returncode == 0, done.stderr
    web, worker, everything = done.stdout.splitlines()
    return Images(shop, web, worker, everything)


@pytest.fixture(scope="session")
def pets_by_hand(shop: Shop, shop_versions: dict[str, Path], session_folder: Path) -> Pets:
    """Pets whose upgrades go by the appups that a person wrote for the shop."""
    with one_at_a_time(session_folder / "pets-by-hand.lock"):
        return Pets.of(shop, shop_versions, session_folder / "pets-by-hand", by_hand=True)


@pytest.fixture(scope="session", params=["otp25", "otp27"])
def pets(request: pytest.FixtureRequest, session_folder: Path) -> Pets:
    """Pets whose upgrades go by generated appups."""
    name = "shop" if request.param == "otp25" else "shop_otp27"
    shop: Shop = request.getfixturevalue(name)
    releases: dict[str, Path] = request.getfixturevalue(f"{name}_versions")
    with one_at_a_time(session_folder / f"pets-{request.param}.lock"):
        return Pets.of(shop, releases, session_folder / f"pets-{request.param}")
