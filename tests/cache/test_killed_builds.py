"""kill -9 at any moment of a command harms no later one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from itertools import cycle
from pathlib import Path

import pytest

from tests.cache.builds import (
    SMITH,
    Variant,
    build,
    build_command,
    cache,
    copy_release,
    temporaries,
)

pytestmark = pytest.mark.release

SEED = 4
KILLS = 20
SOAK_KILLS = 200
COLD_SECONDS = 2.5
"""About what the first build takes here; what builds really take is measured from then on."""


def test_twenty_killed_builds_harm_no_later_one(
    variants: tuple[Variant, ...], tmp_path: Path
) -> None:
    kill_many(variants, tmp_path, KILLS)


@pytest.mark.soak
def test_two_hundred_killed_builds_harm_no_later_one(
    variants: tuple[Variant, ...], tmp_path: Path
) -> None:
    kill_many(variants, tmp_path, int(os.environ.get("IMAGESMITH_SOAK", SOAK_KILLS)))


def kill_many(variants: tuple[Variant, ...], folder: Path, kills: int) -> None:
    """Kill so many builds, and some prunes, on one cache; then check it and all it gives."""
    store = folder / "cache"
    numbers, turns = random.Random(SEED), cycle(variants)
    seconds, killed = COLD_SECONDS, 0
    for number in range(kills):
        release = salted(next(turns), folder / f"salted-{number}", number)
        command = build_command(release, folder / "killed.oci", f"--cache-dir={store}")
        lived = kill(command, seconds * numbers.uniform(0.15, 1.0))
        if lived is None:
            killed += 1
        else:
            seconds = lived  # the next ones find more, and are as fast
        if number % 5 == 4:
            prune = [*SMITH, "cache", "prune", f"--cache-dir={store}", "--max-size=4MB"]
            kill(prune, numbers.uniform(0.2, 0.6))
    assert killed > kills // 2, "the blows came too late to kill anything"
    verified = cache(store, "verify")
    assert verified.code == 0, verified.stdout + verified.stderr
    for variant in variants:
        out = folder / f"{variant.name}.oci"
        variant.check(build(variant.release, out, store), out)
    assert cache(store, "verify").code == 0
    assert temporaries(store) == []


def kill(command: list[str], moment: float) -> float | None:
    """Kill the command and all that it started, `moment` seconds after its start.

    Returns how long it lived (seconds) if it came to its own end before.
    """
    begun = time.monotonic()
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        running.wait(begun + moment - time.monotonic())
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return None
    return time.monotonic() - begun


def salted(variant: Variant, to: Path, number: int) -> Path:
    """The variant with a file that no build has seen, so that there is a layer to write."""

    def salt(release: Path) -> None:
        numbers = random.Random(number)
        (release / "SALT").write_bytes(numbers.randbytes(1 << 20) + bytes(1 << 20))

    return copy_release(variant.release, to, salt)
