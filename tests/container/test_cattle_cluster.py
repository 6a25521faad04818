"""Two containers on a Docker network find each other, in every way that Erlang can listen."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.container.conftest import Images
from tests.docker import LABEL, Container, docker, run, serving

pytestmark = pytest.mark.container


@pytest.fixture
def network() -> Iterator[str]:
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    docker("network", "create", "--label", LABEL, name)
    yield name
    run("network", "rm", name)


@pytest.fixture
def network6() -> Iterator[str]:
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    subnet = f"fd00:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}::/64"
    docker("network", "create", "--label", LABEL, "--ipv6", "--subnet", subnet, name)
    yield name
    run("network", "rm", name)


def _connect(one: Container, other: Container) -> str:
    there = other.get("/")["node"]
    said = one.output("bin/shop_web", "rpc", f'IO.puts(Node.connect(:"{there}"))')
    assert one.get("/cluster")["list"] == ([there] if said == "true" else [])
    return said


def _named(name: str, network: str) -> tuple[str, ...]:
    """A node with a long name that Docker's DNS knows."""
    host = f"{name}.shop.internal"
    return (
        *("--network", network, "--network-alias", host),
        *("--env", "RELEASE_DISTRIBUTION=name", "--env", f"RELEASE_NODE=shop_web@{host}"),
        *("--env", "RELEASE_COOKIE=common"),
    )


def test_with_epmd_and_names_made_of_addresses(images: Images, network: str) -> None:
    options = ("--network", network, "--env", "SHOP_CLUSTER=1", "--env", "RELEASE_COOKIE=common")
    with serving(images.web, *options) as one, serving(images.web, *options) as other:
        assert _connect(one, other) == "true"


def test_without_a_common_cookie_they_stay_apart(images: Images, network: str) -> None:
    options = ("--network", network, "--env", "SHOP_CLUSTER=1")
    with serving(images.web, *options) as one, serving(images.web, *options) as other:
        assert _connect(one, other) == "false"


def test_in_a_range_of_ports(images: Images, network: str) -> None:
    flags = "-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105"
    options = ("--env", f"ERL_AFLAGS={flags}")
    with (
        serving(images.web, *_named("one", network), *options) as one,
        serving(images.web, *_named("other", network), *options) as other,
    ):
        assert _connect(one, other) == "true"


def test_on_a_fixed_port_without_epmd(images: Images, network: str) -> None:
    flags = "-start_epmd false -erl_epmd_port 4370"
    options = ("--env", f"ERL_AFLAGS={flags}")
    with (
        serving(images.web, *_named("one", network), *options) as one,
        serving(images.web, *_named("other", network), *options) as other,
    ):
        # The port is taken by the node itself, so one that only asks must not listen there.
        asking = ("env", f"ERL_AFLAGS={flags} -dist_listen false")
        connect = f'IO.puts(Node.connect(:"{other.get("/")["node"]}"))'
        assert one.output(*asking, "bin/shop_web", "rpc", connect) == "true"
        assert one.get("/cluster")["list"] == [other.get("/")["node"]]


def test_over_ipv6(images: Images, network6: str) -> None:
    options = ("--env", "ERL_AFLAGS=-proto_dist inet6_tcp")
    with (
        serving(images.web, *_named("one", network6), *options) as one,
        serving(images.web, *_named("other", network6), *options) as other,
    ):
        assert _connect(one, other) == "true"
