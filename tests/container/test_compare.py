"""`imagesmith compare` on the shop: both lives really lived, and nothing left of them."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from imagesmith.compare.balancer import build_balancer
from imagesmith.compare.lab import LABEL
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.tags import PREFIX
from imagesmith.docker.images import tags_like
from tests.debian import debian_image
from tests.docker import docker, wait_until
from tests.relay import relay
from tests.shop import Shop

pytestmark = pytest.mark.container

FRONT = """\
version: 1
name: compared-front
release: {{path: {release}}}
probe: {{http: /healthz, port: {port}}}
compare:
  request: {{http: /count, port: 4000}}
  version: version
  state: value
  hold: {{tcp: 4001, say: ping}}
  connections: 20
  rate: 20
"""
WORKER = """\
version: 1
name: compared-worker
release: {{path: {release}}}
probe: {{rpc: "Worker.Ticker.ticks()"}}
compare: {{replicas: 1}}
"""
QUICK = ("--settle", "2", "--drain", "2")


@pytest.fixture(scope="module")
def haproxy(session_folder: Path) -> str:
    return build_balancer(debian_image(session_folder / "debian.lock"))


def words(recipe: Path, old: Path, haproxy: str, *more: str) -> list[str]:
    program = (sys.executable, "-m", "imagesmith", "compare", str(recipe))
    return [*program, "--from", str(old), "--balancer", haproxy, *more]


def compare(
    folder: Path, recipe: str, old: Path, haproxy: str, *more: str
) -> subprocess.CompletedProcess[str]:
    (folder / "recipe.yml").write_text(recipe)
    return subprocess.run(
        words(folder / "recipe.yml", old, haproxy, *QUICK, *more),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=600,
    )


def left(pid: int) -> list[str]:
    """What Docker still has of the comparison that this process made."""
    found = []
    for kind in ("container", "volume", "network"):
        every = ("--all",) if kind == "container" else ()
        form = ("--format", f'{{{{.Label "{LABEL}"}}}} {{{{.Name{"s" if every else ""}}}}}')
        lines = docker(kind, "ls", *every, *form).splitlines()
        found += [line for line in lines if f"/{pid}/" in line]
    return found + images(pid)


def images(pid: int) -> list[str]:
    """The tags of it that Docker still has."""
    return tags_like(f"{PREFIX}-*-{pid}-*/*")


def break_start(release: Path, folder: Path) -> Path:
    """A copy of a release that never comes up: mix's own env.sh is run before its start."""
    copy = folder / release.name
    shutil.copytree(release, copy, symlinks=True)
    [script] = copy.glob("releases/*/env.sh")
    script.write_text(f"{script.read_text()}\necho never >&2\nexec sleep 1000\n")
    return copy


def figures(report: Mapping[str, Any], scenario: Scenario) -> Mapping[str, Any]:
    """Of one scenario, each figure's median or word."""
    [outcome] = [item for item in report["scenarios"] if item["scenario"] == scenario.value]
    return {
        key: found and found.get("median", found.get("word"))
        for key, found in outcome["figures"].items()
    }


def test_the_front_keeps_connections_and_state_only_where_it_is_upgraded_in_place(
    shop: Shop, shop_versions: Mapping[str, Path], haproxy: str, tmp_path: Path
) -> None:
    recipe = FRONT.format(release=shop_versions["0.2.0"], port=4000)
    done = compare(tmp_path, recipe, shop.all, haproxy, "--out", "out", "--env", "GREETING=s3cret")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    for scenario in Scenario:
        found = figures(report, scenario)
        is_hot = scenario is Scenario.HOT
        assert found["state"] == ("kept" if is_hot else "lost"), scenario
        assert (found["dropped"] == 0) is is_hot, scenario
        assert found["crash_version"] == "new", scenario
        assert found["crash_state"] == "lost", scenario
        assert found["back_state"] == ("kept" if is_hot else "lost"), scenario
        assert found["change_seconds"] > 0
        assert found["memory_peak"] > 20e6
    # Who waits until the next one is ready, and drains, fails nobody.
    for scenario in (Scenario.ROLLING, Scenario.BLUE_GREEN, Scenario.HOT):
        assert figures(report, scenario)["failed"] == 0, scenario
        assert figures(report, scenario)["back_failed"] == 0, scenario
    assert figures(report, Scenario.RECREATE)["failed"] > 0
    assert figures(report, Scenario.ROLLING)["containers_peak"] > 2
    assert figures(report, Scenario.HOT)["containers_peak"] == 2
    if not any(item["noise"] for item in report["scenarios"]):
        assert report["verdict"]["fit"] == "pet"
    texts = [(tmp_path / "out" / name).read_text() for name in ("report.html", "report.md")]
    assert all("blue-green" in text for text in texts)
    assert not any("s3cret" in text for text in (*texts, json.dumps(report), done.stdout))


def test_a_worker_that_holds_nothing_is_cattle(
    shop: Shop, shop_versions: Mapping[str, Path], haproxy: str, tmp_path: Path
) -> None:
    new = shop_versions["0.2.0"].with_name("shop_worker")
    options = ("--scenario", "rolling", "--scenario", "hot")
    done = compare(tmp_path, WORKER.format(release=new), shop.worker, haproxy, *options)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "comparison/report.json").read_text())
    assert report["verdict"]["fit"] == "cattle"
    assert report["verdict"]["rules"][0]["rule"] == "nothing-held"
    assert figures(report, Scenario.HOT)["crash_seconds"] > 0


def test_one_that_never_becomes_ready_is_told(
    shop: Shop, shop_versions: Mapping[str, Path], haproxy: str, tmp_path: Path
) -> None:
    recipe = FRONT.format(release=shop_versions["0.2.0"], port=4999)
    options = ("--scenario", "recreate", "--ready", "3")
    done = compare(tmp_path, recipe, shop.all, haproxy, *options)
    assert done.returncode == 1
    assert "is not ready within 3 s" in done.stderr
    # A busy machine has not said a word within 3 s; the test below reads the words.
    assert re.search(r"The last that it said:(\n +\S| nothing\n)", done.stderr)
    assert "--ready SECONDS" in done.stderr
    assert not (tmp_path / "comparison").exists()


def test_a_new_version_that_never_becomes_ready_is_the_trouble_of_its_runs_alone(
    shop: Shop, shop_versions: Mapping[str, Path], haproxy: str, tmp_path: Path
) -> None:
    new = break_start(shop_versions["0.2.0"], tmp_path)
    options = ("--scenario", "rolling", "--scenario", "blue-green", "--ready", "30")
    secret = ("--env", "GREETING=never")
    done = compare(
        tmp_path, FRONT.format(release=new, port=4000), shop.all, haproxy, *options, *secret
    )
    assert done.returncode == 1
    assert "not gone to the end: rolling, blue-green" in done.stderr
    text = (tmp_path / "comparison/report.json").read_text()
    for item in json.loads(text)["scenarios"]:
        [trouble] = item["troubles"]
        assert re.match(r"in the change: a container of \S+ is not ready within 30 s$", trouble)
    # What a container says may tell anything.
    assert "    never" in done.stderr
    assert "GREETING" not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_it_leaves_nothing_at_the_latest_when_the_next_one_has_begun(
    number: signal.Signals,
    shop: Shop,
    shop_versions: Mapping[str, Path],
    haproxy: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "recipe.yml").write_text(FRONT.format(release=shop_versions["0.2.0"], port=4000))
    options = ("--scenario", "hot", *QUICK)
    with subprocess.Popen(
        words(tmp_path / "recipe.yml", shop.all, haproxy, *options),
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        # Four images, a network, the balancer, two containers and a volume of each.
        wait_until(lambda: len(left(process.pid)) >= 10, lambda: "no container", 120)
        time.sleep(1)
        process.send_signal(number)
        assert process.stderr is not None
        process.stderr.read()
    if number is signal.SIGKILL:
        assert process.returncode == -number
        assert left(process.pid)
        recipe = FRONT.format(release=shop_versions["0.2.0"], port=4999)
        compare(tmp_path, recipe, shop.all, haproxy, "--scenario", "recreate", "--ready", "0.1")
    else:
        assert process.returncode == 128 + number
    assert left(process.pid) == []


def test_another_machines_docker_is_refused_before_anything_is_built(
    shop: Shop, shop_versions: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = FRONT.format(release=shop_versions["0.2.0"], port=4000)
    with relay(tcp=True) as far:
        monkeypatch.setenv("DOCKER_HOST", far.host)
        done = compare(tmp_path, recipe, shop.all, "none")
    assert done.returncode == 1
    assert f"Docker is another machine's ({far.host})" in done.stderr
    assert "building" not in done.stderr


def test_what_the_balancer_lacks_is_told_before_anything_is_built(
    shop: Shop, shop_versions: Mapping[str, Path], session_folder: Path, tmp_path: Path
) -> None:
    recipe = FRONT.format(release=shop_versions["0.2.0"], port=4000)
    done = compare(tmp_path, recipe, shop.all, debian_image(session_folder / "debian.lock"))
    assert done.returncode == 1
    assert "does not tell HAProxy's version" in done.stderr
    assert "building" not in done.stderr


def test_without_a_docker_costs_and_plan_are_compared(
    shop: Shop, shop_versions: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    done = compare(
        tmp_path, FRONT.format(release=shop_versions["0.2.0"], port=4000), shop.all, "none"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "comparison/report.json").read_text())
    assert report["scenarios"] == []
    assert report["verdict"]["fit"] == "it depends"
    assert report["plan"]["verdict"] == "hot"
    assert 0 < report["costs"]["cattle"]["to_host"] < report["costs"]["cattle"]["image"]
    assert "no Docker answers" in done.stdout
