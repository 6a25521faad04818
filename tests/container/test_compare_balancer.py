"""HAProxy as it is: what it is told while it runs, and what becomes of requests meanwhile."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesmith.compare.balancer import Balancer, build_balancer
from imagesmith.compare.lab import LABEL, Lab, open_lab
from imagesmith.compare.workload import HoldTcp, Workload
from imagesmith.docker.process import Process
from imagesmith.docker.sdk import connect
from imagesmith.errors import CompareError, DockerError
from tests.debian import IMAGE, debian_image
from tests.docker import docker, run

pytestmark = pytest.mark.container

WORKLOAD = Workload(path="/", port=8080, hold=HoldTcp(port=8081, say="ping"), connections=10)


@pytest.fixture(scope="module")
def haproxy(session_folder: Path) -> str:
    return build_balancer(debian_image(session_folder / "debian.lock"))


@pytest.fixture
def lab() -> Iterator[Lab]:
    client = connect("a test")
    with open_lab(client) as lab:
        yield lab
    client.close()


def server(lab: Lab, number: int, image: str) -> str:
    """A web server whose page is its number; its address."""
    name = lab.name(f"s{number}")
    label = next(f"{key}={value}" for key, value in lab.labels.items())
    docker(
        *("run", "--detach", "--name", name, "--network", lab.network, "--label", label),
        *(image, "perl", "-e", PERL, str(number)),
    )
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", form, name).strip()


# minbase has perl, and nothing else that can listen.
PERL = """
use Socket;
socket(S, PF_INET, SOCK_STREAM, getprotobyname('tcp'));
setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in(8080, INADDR_ANY)) or die; listen(S, 99);
while (accept(C, S)) {
  sysread(C, my $in, 4096);
  syswrite(C, "HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\nConnection: close\\r\\n\\r\\n$ARGV[0]");
  close C;
}
"""


def ask(balancer: Balancer) -> tuple[str, str | None]:
    url = f"http://127.0.0.1:{balancer.ports.requests}/"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode(), answer.headers["x-imagesmith-server"]


def test_containers_are_taken_in_and_out_while_it_runs(lab: Lab, haproxy: str) -> None:
    balancer = lab.balancer(haproxy, WORKLOAD)
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(balancer)
    assert refused.value.code == 503
    balancer.take_in(1, server(lab, 1, IMAGE))
    balancer.take_in(2, server(lab, 2, IMAGE))
    assert {ask(balancer) for _ in range(20)} == {("1", "s1"), ("2", "s2")}
    balancer.take_out(1)
    assert {ask(balancer) for _ in range(20)} == {("2", "s2")}
    assert balancer.drained(1, 10)
    balancer.take_in(1, "10.255.255.1")  # a slot is used again, by another address
    balancer.forget(1)
    assert {ask(balancer) for _ in range(5)} == {("2", "s2")}


def test_a_container_that_refuses_is_passed_over_for_one_that_answers(
    lab: Lab, haproxy: str
) -> None:
    """As an ingress controller does: what is compared is not how long a dead one is asked."""
    balancer = lab.balancer(haproxy, WORKLOAD)
    balancer.take_in(1, server(lab, 1, IMAGE))
    balancer.take_in(2, server(lab, 2, IMAGE))
    docker("kill", lab.name("s1"))
    assert {ask(balancer)[0] for _ in range(10)} == {"2"}


def test_an_order_that_haproxy_does_not_take_is_an_error(lab: Lab, haproxy: str) -> None:
    balancer = lab.balancer(haproxy, WORKLOAD)
    with pytest.raises(DockerError, match="refused"):
        balancer.take_in(9999, "10.0.0.1")


def test_an_image_without_haproxy_is_told_with_its_own_words(lab: Lab) -> None:
    with pytest.raises(CompareError, match="haproxy") as raised:
        lab.balancer(IMAGE, WORKLOAD)
    assert "--balancer" in (raised.value.hint or "")


def left(label: str) -> list[str]:
    found = []
    for kind in ("container", "volume", "network"):
        everything = ("--all",) if kind == "container" else ()
        found += docker(kind, "ls", *everything, "--quiet", "--filter", f"label={label}").split()
    return found


def test_a_lab_leaves_nothing_whatever_ends_it(haproxy: str) -> None:
    client = connect("a test")
    with pytest.raises(KeyboardInterrupt), open_lab(client) as lab:
        lab.balancer(haproxy, WORKLOAD)
        client.volumes.create(lab.name("s1"), labels=dict(lab.labels))
        assert len(left(f"{LABEL}={Process.this()}")) == 3
        raise KeyboardInterrupt
    assert left(f"{LABEL}={Process.this()}") == []
    client.close()


def test_what_a_killed_comparison_left_is_removed_by_the_next() -> None:
    this = Process.this()
    dead = f"{LABEL}={this.host}/4194304/1"  # above pid_max's highest (proc(5))
    name = f"imagesmith-compare-{uuid.uuid4().hex[:8]}"
    docker("network", "create", "--label", dead, name)
    docker("volume", "create", "--label", dead, name)
    other = f"{name}-other"
    docker("volume", "create", "--label", f"{LABEL}=another-host/1/1", other)
    try:
        client = connect("a test")
        with open_lab(client):
            assert left(dead) == []
            assert left(f"{LABEL}=another-host/1/1") == [other]
        client.close()
    finally:
        run("volume", "rm", other)
        run("volume", "rm", name)
        run("network", "rm", name)
