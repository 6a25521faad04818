"""The kiosk's releases, built once for all tests that want them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import one_at_a_time
from tests.pairs.builds import Kiosk, build_kiosk


@pytest.fixture(scope="session")
def kiosk(session_folder: Path) -> Kiosk:
    with one_at_a_time(session_folder / "kiosk.lock"):
        return build_kiosk()
