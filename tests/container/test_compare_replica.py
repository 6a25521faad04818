"""Containers that fail as they start, or are waited for when all is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from imagesmith.compare.lab import LABEL, Lab, open_lab
from imagesmith.compare.network import check_network
from imagesmith.compare.replica import Kind, Replica, start_replica
from imagesmith.compare.scenario import Life
from imagesmith.docker.process import Process
from imagesmith.docker.sdk import connect
from imagesmith.errors import CompareError, UsageError
from imagesmith.recipe import HttpProbe, Probe, RpcProbe
from tests.container.test_compare_balancer import PERL
from tests.debian import debian_image
from tests.docker import docker, wait_until

pytestmark = pytest.mark.container

FAILS_ONCE = "test -e /upgrades/tried || { touch /upgrades/tried; exit 1; }"
HTTP = HttpProbe(http="/", port=8080)


@pytest.fixture
def lab() -> Iterator[Lab]:
    client = connect("a test")
    with open_lab(client) as lab:
        yield lab
    client.close()


@pytest.fixture
def image(session_folder: Path, tmp_path: Path) -> Iterator[str]:
    """A pet of a kind: what START says, then a web server; its release answers any rpc. To be asked
    for before the lab, whose containers go first."""
    base = debian_image(session_folder / "debian.lock")
    (tmp_path / "server.pl").write_text(PERL)
    (tmp_path / "Dockerfile").write_text(
        f"FROM {base}\nCOPY server.pl /\nWORKDIR /app\n"
        "RUN mkdir bin && ln -s /bin/true bin/shop\n"
        'CMD ["sh", "-c", "eval \\"$START\\"; exec perl /server.pl 1"]\n'
    )
    docker("build", "--quiet", "--tag", "imagesmith-test-replica", str(tmp_path))
    yield "imagesmith-test-replica"
    docker("image", "rm", "imagesmith-test-replica")


def start(lab: Lab, image: str, script: str, *, probe: Probe = HTTP, ready: float = 60) -> Replica:
    kind = Kind(
        release="shop",
        probe=probe,
        environment={"START": script},
        volume="/upgrades",
        cpus=None,
        memory=None,
        ready_seconds=ready,
        stop_seconds=1,
    )
    return start_replica(lab, kind, image, Life.PET, 1)


def restarts(replica: Replica) -> int:
    replica.container.reload()
    return int(replica.container.attrs["RestartCount"])


@pytest.mark.parametrize("probe", [HTTP, RpcProbe(rpc="Shop.ok()")])
def test_who_fails_once_as_it_starts_is_ready_the_next_time(
    image: str, lab: Lab, probe: Probe
) -> None:
    replica = start(lab, image, f"sleep 0.5; {FAILS_ONCE}", probe=probe)
    if probe is HTTP:
        replica.wait()
        assert replica.container.attrs["RestartCount"] == 1
        assert replica.address
    else:
        # It may be well before it fails: what matters is that to ask it meanwhile is no error.
        wait_until(lambda: restarts(replica) > 0, lambda: "it does not fail")
        replica.wait()


def test_who_always_fails_is_told_before_the_time_is_over(image: str, lab: Lab) -> None:
    replica = start(lab, image, "echo no database >&2; exit 1", ready=600)
    with pytest.raises(CompareError, match="ends as soon as it starts") as raised:
        replica.wait()
    assert "no database" not in raised.value.message
    assert "no database" in (raised.value.hint or "")


def test_nobody_waits_for_a_container_of_a_lab_that_is_cleared(image: str) -> None:
    client = connect("a test")
    waiting: list[Future[None]] = []
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), open_lab(client) as lab:
        never = start(lab, image, "sleep 1000", ready=3600)
        waiting.append(lab.pool.submit(never.wait))
        # What a thread has just begun to start is removed as well.
        waiting.append(lab.pool.submit(_start_late, lab, image))
        raise KeyboardInterrupt
    assert all(future.done() for future in waiting)
    assert time.monotonic() - began < 600
    label = f"{LABEL}={Process.this()}"
    for kind, every in (("container", ["--all"]), ("volume", []), ("network", [])):
        assert docker(kind, "ls", *every, "--quiet", "--filter", f"label={label}") == "", kind
    client.close()


def _start_late(lab: Lab, image: str) -> None:
    lab.ended.wait(60)
    late = Lab(lab.client, f"{lab.id}-late", lab.network, lab.labels)
    start(late, image, "sleep 1000")


def test_networks_that_do_not_do_are_refused(lab: Lab) -> None:
    check_network(lab.client, lab.network)
    internal = lab.name("internal")
    label = next(f"{key}={value}" for key, value in lab.labels.items())
    docker("network", "create", "--internal", "--label", label, internal)
    for wrong, said in (
        ("host", "driver is host"),
        (internal, "internal"),
        ("none-such", "no such"),
    ):
        with pytest.raises(UsageError, match=said):
            check_network(lab.client, wrong)
