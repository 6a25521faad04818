"""How long `imagesmith compare` takes on the shop, and what it finds: front, worker, a crowd.

Prints Markdown. Run by `make bench-compare`, and by hand: .ci/engine run python -m bench.compare
With `--picture FILE` the front's own picture is put there, as README.md shows it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imagesmith.compare.balancer import build_balancer
from tests.debian import debian_image
from tests.shop import Shop

FRONT = """\
version: 1
name: bench-front
release: {{path: {new}}}
probe: {{http: /healthz, port: 4000}}
compare:
  request: {{http: /count, port: 4000}}
  version: version
  state: value
  hold: {{tcp: 4001, say: ping}}
"""
WORKER = """\
version: 1
name: bench-worker
release: {{path: {new}}}
probe: {{rpc: "Worker.Ticker.ticks()"}}
"""
HEADER = """\
| | scenarios | connections | whole command | verdict | by the rule |
|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--crowd", type=int, default=1_000)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagesmith-bench-") as name:
        folder = Path(name)
        shop = Shop.on_host(folder)
        new = shop.versions(folder)["0.2.0"]
        balancer = build_balancer(debian_image(folder / "debian.lock"))
        again = ("--repeat", str(options.repeat))
        print(HEADER)
        tables = [
            _compare(folder / "front", FRONT.format(new=new), shop.all, balancer, *again),
            _compare(
                folder / "worker",
                WORKER.format(new=new.with_name("shop_worker")),
                shop.worker,
                balancer,
                *again,
            ),
            _compare(
                folder / "crowd",
                FRONT.format(new=new),
                shop.all,
                balancer,
                *("--connections", str(options.crowd)),
            ),
        ]
        for table in tables:
            print(f"\n```\n{table}\n```")
        if options.picture:
            shutil.copy(folder / "front/comparison/compare.svg", options.picture)


def _compare(folder: Path, recipe: str, old: Path, balancer: str, *options: str) -> str:
    """One comparison: a row is printed, and the terminal's table returned."""
    folder.mkdir()
    (folder / "imagesmith.yml").write_text(recipe)
    began = time.monotonic()
    done = subprocess.run(
        (
            *(sys.executable, "-m", "imagesmith", "compare", "--from", str(old)),
            *("--balancer", balancer, *options),
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{folder.name}: {done.stderr}")
    report = json.loads((folder / "comparison/report.json").read_text())
    held = report["workload"]["connections"] if report["workload"]["hold"] else 0
    verdict = report["verdict"]
    rule = verdict["rules"][0]["rule"] if verdict["rules"] else ""
    print(
        f"| {folder.name} | {len(report['scenarios'])} | {held:,} | {took:.0f} s "
        f"| {verdict['fit']} | {rule} |",
        flush=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
