"""What a build takes of memory does not grow with the release."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.cache.builds import build_command, copy_release, run
from tests.shop import Shop

pytestmark = [pytest.mark.release, pytest.mark.soak]

MOST_KILOBYTES = 120_000


def _ten_times_the_size(release: Path) -> None:
    """A large file, many small ones, and modules, in the team's own applications."""
    numbers = random.Random("large")
    assets = next(release.glob("lib/web-*")) / "priv/assets"
    assets.mkdir(parents=True)
    (assets / "video").write_bytes(numbers.randbytes(32 << 20) + bytes(32 << 20))
    for number in range(40):
        (assets / str(number)).write_bytes(numbers.randbytes(1 << 20))
    modules = list(release.glob("lib/*/ebin/*.beam"))
    ebin = next(release.glob("lib/core-*/ebin"))
    for copy in range(3):
        for module in modules:
            (ebin / f"Copy{copy}.{module.name}").write_bytes(module.read_bytes())


def test_a_release_of_ten_times_the_size_takes_no_more_memory(shop: Shop, tmp_path: Path) -> None:
    large = copy_release(shop.web, tmp_path / "large", _ten_times_the_size)
    for release in (shop.web, large):
        for _ in ("cold", "warm"):
            store = tmp_path / f"cache of {release.name}"
            assert _peak(release, tmp_path / "out.oci", store) < MOST_KILOBYTES


# A child begins as a copy of its parent, and its peak with it: the parent has to be small.
MEASURE = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak(release: Path, out: Path, store: Path) -> int:
    """The peak memory (kilobytes) of a build."""
    command = build_command(release, out, f"--cache-dir={store}")
    measured = run([sys.executable, "-c", MEASURE, *command])
    assert measured.code == 0, measured.stderr
    return int(measured.stdout)
