"""What tests of more than one room share: the releases of the fixtures, really built by mix."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.pairs.builds import Kiosk, build_kiosk
from tests.shop import Shop

# A busy machine is no defect: what has to be quick is measured in bench/.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A soak takes minutes of the whole machine: only `-m soak` runs it."""
    if "soak" in config.option.markexpr:
        return
    soaking = [item for item in items if item.get_closest_marker("soak")]
    items[:] = [item for item in items if item not in soaking]
    config.hook.pytest_deselected(items=soaking)


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all xdist workers of this run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


@pytest.fixture(scope="session", autouse=True)
def cache_of_tests(session_folder: Path) -> Iterator[None]:
    """No test reads or fills the cache of who runs it; all workers of a run share one."""
    before = os.environ.get("IMAGESMITH_CACHE_DIR")
    os.environ["IMAGESMITH_CACHE_DIR"] = str(session_folder / "cache")
    yield
    if before is None:
        del os.environ["IMAGESMITH_CACHE_DIR"]
    else:
        os.environ["IMAGESMITH_CACHE_DIR"] = before


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def shop(session_folder: Path) -> Shop:
    """The shop, version 0.1.0, as this machine's Elixir builds it."""
    with one_at_a_time(session_folder / "shop.lock"):
        return Shop.on_host(session_folder)


@pytest.fixture(scope="session")
def shop_versions(shop: Shop, session_folder: Path) -> dict[str, Path]:
    """`shop_all` by its version, as this machine's Elixir builds it."""
    with one_at_a_time(session_folder / "shop-versions.lock"):
        return shop.versions(session_folder)


@pytest.fixture(scope="session")
def shop_otp27(session_folder: Path) -> Shop:
    """The shop as Elixir 1.18 on OTP 27 builds it, in a Debian 13 root."""
    with one_at_a_time(session_folder / "shop-otp27.lock"):
        return Shop.on_trixie(session_folder)


@pytest.fixture(scope="session")
def shop_otp27_versions(shop_otp27: Shop, session_folder: Path) -> dict[str, Path]:
    """`shop_all` by its version, as Elixir 1.18 on OTP 27 builds it."""
    with one_at_a_time(session_folder / "shop-otp27-versions.lock"):
        return shop_otp27.versions(session_folder)


@pytest.fixture(scope="session")
def shop_arm64(session_folder: Path) -> Shop:
    """The shop for arm64, of the same source, Elixir and OTP as `shop`."""
    with one_at_a_time(session_folder / "shop-arm64.lock"):
        return Shop.for_arm64(session_folder)


@pytest.fixture(scope="session")
def kiosk(session_folder: Path) -> Kiosk:
    """The releases of fixtures/pairs."""
    with one_at_a_time(session_folder / "kiosk.lock"):
        return build_kiosk()
