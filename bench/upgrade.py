"""How long a hot upgrade takes, and for how long a caller has to wait meanwhile.

Prints Markdown. Run by `make bench-upgrade`, and by hand: .ci/engine run python -m bench.upgrade
With `--reference DIR`, or IMAGESMITH_REFERENCE, the upgrade by hand that lies there is measured in
the same run (`bench.reference`).
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.crowd import Calls, longest_call, start_crowd
from bench.reference import UnknownReference, running_reference
from tests.pet.load import load_on
from tests.pet.pets import NAME, Pets
from tests.pet.shopnode import shop_node
from tests.shop import SHOP, Shop

VERSIONS = ("0.1.0", "0.2.0")
HELD = 100
RATE = 100.0
HEADER = """\
| upgrade | servers | install_release | longest call | longest request | failed | whole command |
|---|---|---|---|---|---|---|"""
NOTES = """\
- The shop from 0.1.0 to 0.2.0, medians of {runs} runs, one after the other. {held} connections are
  held, {rate:g} HTTP requests a second are sent, each when it is due, and 20 processes in the node
  call the servers, whose state changes shape. Failed: such calls, requests and held connections,
  of all runs.
- install_release: release_handler's own time, as the node measures it. Longest call: from a
  process in the node to a server. Longest request: from when it was due to its last byte.
- Whole command: with the checks, the files, the configuration, the proof and confirming, without a
  watch (`--watch 0`)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One upgrade, in seconds; `whole` is None where there is no command to measure."""

    install: float
    call: float
    request: float
    failed: int
    whole: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--reference", default=os.environ.get("IMAGESMITH_REFERENCE"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagesmith-bench-") as folder:
        os.environ["IMAGESMITH_CACHE_DIR"] = f"{folder}/cache"
        shop = Shop.on_host(Path(folder))
        pets = Pets.of(shop, shop.versions(Path(folder)), Path(folder) / "pets")
        contestants: dict[str, Callable[[int, Path], Sample]] = {
            "imagesmith": lambda servers, _: _ours(pets, servers)
        }
        if options.reference:
            script = Path(options.reference)
            contestants["by hand"] = lambda servers, work: _theirs(script, pets, servers, work)
        print(HEADER)
        for servers in (0, options.servers):
            for name, measure in contestants.items():
                try:
                    samples = [
                        measure(servers, Path(tempfile.mkdtemp(dir=folder)))
                        for _ in range(options.runs)
                    ]
                except UnknownReference as error:
                    print(f"| {name} | {servers + 1:,} | not run: {error} | | | | |")
                    continue
                print(f"| {name} | {servers + 1:,} | {_row(samples)} |", flush=True)
    print()
    print(NOTES.format(runs=options.runs, held=HELD, rate=RATE))
    if options.reference:
        print("- By hand: the reference's own script, on this host and not in a container.")
    else:
        print("- The reference was not run: no --reference, and IMAGESMITH_REFERENCE is not set.")


def _ours(pets: Pets, servers: int) -> Sample:
    with shop_node(pets.image) as node:
        node.rpc(start_crowd(servers))
        with load_on(node.port(4000), node.port(4001), held=HELD, rate=RATE) as load:
            time.sleep(1)
            Calls.parse(node.rpc(longest_call()))
            since, began = load.now(), time.monotonic()
            done = node.command("upgrade", pets.bundles["0.2.0"], "--watch", "0", "--json")
            whole = time.monotonic() - began
            assert done.returncode == 0, done.stderr
            calls = Calls.parse(node.rpc(longest_call()))
            request = load.pause(since)
        failed = len(load.failures()) + calls.failed
        [summary] = json.loads(done.stdout)
        return Sample(summary["install_seconds"], calls.longest, request, failed, whole)


def _theirs(script: Path, pets: Pets, servers: int, work: Path) -> Sample:
    before, after = (pets.releases[version] for version in VERSIONS)
    appups = SHOP / "appups/0.2.0"
    with running_reference(script, NAME, before, after, appups, work, _free_port()) as node:
        node.rpc(start_crowd(servers))
        with load_on(node.port, node.line_port, held=HELD, rate=RATE) as load:
            time.sleep(1)
            Calls.parse(node.rpc(longest_call()))
            since = load.now()
            install = node.upgrade()
            calls = Calls.parse(node.rpc(longest_call()))
            request = load.pause(since)
        failed = len(load.failures()) + calls.failed
        return Sample(install, calls.longest, request, failed, None)


def _row(samples: list[Sample]) -> str:
    def median(values: list[float]) -> str:
        return f"{statistics.median(values) * 1000:,.0f} ms"

    whole = [item.whole for item in samples if item.whole is not None]
    return " | ".join(
        (
            median([item.install for item in samples]),
            median([item.call for item in samples]),
            median([item.request for item in samples]),
            str(sum(item.failed for item in samples)),
            f"{statistics.median(whole):.1f} s" if whole else "",
        )
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
