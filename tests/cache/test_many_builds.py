"""Many builds on one cache at once: each gives what it would have given alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cache.builds import (
    SMITH,
    Built,
    Variant,
    build_command,
    cache,
    temporaries,
)

pytestmark = pytest.mark.release


def at_once(store: Path, variants: list[Variant], folder: Path) -> None:
    """Build all of them at once on the cache, and check each image."""
    outs = [folder / f"{number}.oci" for number in range(len(variants))]
    running = [
        subprocess.Popen(
            build_command(variant.release, out, f"--cache-dir={store}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for variant, out in zip(variants, outs, strict=True)
    ]
    for process, variant, out in zip(running, variants, outs, strict=True):
        stdout, stderr = process.communicate(timeout=300)
        variant.check(Built(process.returncode, stdout, stderr), out)


def test_eight_builds_at_once_on_one_cold_cache(
    variants: tuple[Variant, ...], tmp_path: Path
) -> None:
    store = tmp_path / "cache"
    at_once(store, [*variants, variants[0], variants[0], variants[-1]], tmp_path)
    verified = cache(store, "verify")
    assert verified.code == 0, verified.stdout + verified.stderr
    assert temporaries(store) == []


def test_a_prune_takes_nothing_that_a_running_build_uses(
    variants: tuple[Variant, ...], copied: Path, tmp_path: Path
) -> None:
    # One prune after the other, each told to leave nothing, while builds find and write layers.
    prune = [*SMITH, "cache", "prune", f"--cache-dir={copied}", "--max-size=0"]
    loop = subprocess.Popen(
        ["sh", "-c", 'while :; do "$@" || exit; done', "sh", *prune],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        for turn in range(2):
            (tmp_path / str(turn)).mkdir()
            at_once(copied, [variants[turn], variants[-1], variants[turn]], tmp_path / str(turn))
        assert loop.poll() is None, "a prune failed"
    finally:
        if loop.poll() is None:
            import os
            import signal

            os.killpg(loop.pid, signal.SIGKILL)
        _, said = loop.communicate()
    assert b"Traceback" not in said
    assert cache(copied, "verify").code == 0
