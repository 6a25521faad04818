"""How quick imagesmith is beside Dockerfiles, how much it ships and how much memory it takes.

Prints Markdown. Run by `make bench`, and by hand: .ci/engine run python -m bench.speed
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from bench.big.project import LARGE, SMALL, Project
from bench.contestant import Contestant, Sink
from bench.ours import Ours, imagesmith
from bench.peers import BASE, BY_HAND, PHOENIX, ByHand, Phoenix, import_base
from bench.process import run
from bench.report import as_json, as_markdown
from bench.scenario import Results, Scenario, race
from bench.targets import Target, at_least, at_most

REPO = Path(__file__).resolve().parent.parent
OWN = frozenset({"big", "big_web"})
MB = 1e6


class Part(StrEnum):
    """What is measured: against the peers, many releases at once, and a huge one."""

    RACE = "race"
    FLEET = "fleet"
    GROWTH = "growth"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of everything (5)")
    parser.add_argument("--quick", action="store_true", help="one run of something small")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="keep everything there, not in /tmp"
    )
    parser.add_argument("--only", choices=Part, type=Part, help="leave the other parts out")
    asked = parser.parse_args()
    parts = [asked.only] if asked.only else list(Part)
    runs = 1 if asked.quick else asked.runs
    with tempfile.TemporaryDirectory(prefix="imagesmith-bench-", dir=asked.work) as folder:
        results, targets, facts = bench(Path(folder), parts, runs=runs, quick=asked.quick)
    sys.stdout.write(as_markdown(results, targets, facts, runs))
    if asked.json:
        asked.json.write_text(as_json(results, targets, facts))


def bench(
    work: Path, parts: Sequence[Part], *, runs: int, quick: bool
) -> tuple[Results, list[Target], list[str]]:
    """Results, distances and facts; each part makes the project of the one before larger."""
    project = Project.make(work / "big", SMALL if quick else LARGE)
    facts = [_machine(), f"the release: {_extent(project.release())}"]
    results: Results = {}
    targets: list[Target] = []
    if Part.RACE in parts:
        import_base(Path(run(REPO / ".ci/tools", "phoenix-rootfs").strip()))
        results = race(project, _contestants(work), runs)
        targets += _race_targets(results)
    if Part.FLEET in parts:
        project.add_services(2 if quick else 50)
        ratio, seconds = _fleet(project, work, runs)
        facts.append(f"{len(project.services)} releases of one umbrella: {seconds:.2f} s")
        targets.append(at_most(f"{len(project.services)} releases / one cold build", ratio, 6))
    if Part.GROWTH in parts:
        project.grow(2 if quick else 10)
        facts.append(f"the release, grown: {_extent(project.release())}")
        (grown,) = _cold(work, "grown", [project.release_path], 1)
        targets.append(at_most("peak memory of the grown one", grown[1], 120 * MB, "MB", MB))
    return results, targets, facts


def _contestants(work: Path) -> list[Contestant]:
    debian = f"oci:{_base_layout(work)}"
    found: list[Contestant] = []
    for sink in Sink:
        found += [Phoenix(work, sink), ByHand(work, sink, OWN), Ours(work, sink)]
        found.append(Ours(work, sink, base=debian))
    return [*found, Ours(work, Sink.OCI, folder=True)]


def _base_layout(work: Path) -> Path:
    """The peers' base as an OCI layout: what `docker save` writes is one."""
    archive, layout = work / "base.tar", work / "base.oci"
    run("docker", "save", "--output", archive, BASE)
    with tarfile.open(archive) as tar:
        tar.extractall(layout, filter="data")
    archive.unlink()
    return layout


def _race_targets(results: Results) -> list[Target]:
    """Ours to type=oci against theirs loaded, which is the harder comparison."""

    def seconds(sink: Sink, contestant: str, scenario: Scenario) -> float:
        return results[sink, contestant, scenario].median

    def new(contestant: str, scenario: Scenario) -> int:
        return results[Sink.OCI, contestant, scenario].new or 0

    a, b, ours = PHOENIX, BY_HAND, Ours(Path(), Sink.OCI).name
    cold, unchanged, changed, bumped = Scenario
    oci = {scenario: seconds(Sink.OCI, ours, scenario) for scenario in Scenario}
    load = {
        (name, scenario): seconds(Sink.LOAD, name, scenario)
        for name in (a, b, ours)
        for scenario in Scenario
    }
    peak = max(results[Sink.OCI, ours, scenario].peak for scenario in Scenario)
    return [
        at_least("cold", [load[a, cold], load[b, cold]], oci[cold], 2),
        at_least("unchanged", [load[a, unchanged], load[b, unchanged]], oci[unchanged], 1.5),
        at_least("one module, against A", [load[a, changed]], oci[changed], 5),
        at_least("one module, against B", [load[b, changed]], oci[changed], 2),
        at_least("one module, loaded, against B", [load[b, changed]], load[ours, changed], 1),
        at_least("new bytes of one module, against B", [new(b, changed)], new(ours, changed), 10),
        at_most("new bytes, version bumped too", new(ours, bumped), 90_000, "kB", 1000),
        at_most("peak memory", peak, 120 * MB, "MB", MB),
    ]


def _fleet(project: Project, work: Path, runs: int) -> tuple[float, float]:
    """All services' releases by one recipe against one of them, both cold, to type=oci."""
    paths = project.release_services()
    many = statistics.median(seconds for seconds, _ in _cold(work, "fleet", paths, runs))
    one = statistics.median(seconds for seconds, _ in _cold(work, "one", paths[:1], runs))
    return many / one, many


def _cold(work: Path, name: str, releases: Sequence[Path], runs: int) -> list[tuple[float, int]]:
    """Seconds and peak memory of cold builds of these releases into one archive."""
    recipe, archive = work / f"{name}.yml", work / f"{name}.tar"
    entries = "".join(f"  {path.name}: {{path: {path}}}\n" for path in releases)
    recipe.write_text(f"version: 1\nreleases:\n{entries}")
    found = []
    for number in range(runs):
        measured = imagesmith(
            *("build", str(recipe), "--output", f"type=oci,dest={archive}"),
            cache=work / f"{name}-{number}.cache",
        )
        found.append((measured.seconds, measured.peak))
    return found


def _extent(release: Path) -> str:
    sizes = [path.stat().st_size for path in release.rglob("*") if path.is_file()]
    return f"{sum(sizes) / MB:.1f} MB in {len(sizes):,} files"


def _machine() -> str:
    docker = run("docker", "version", "--format", "{{.Server.Version}}").strip()
    return f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, Docker {docker}"


if __name__ == "__main__":
    main()
