"""What is asked of Docker, as far as it can be told without one."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, cast

import pytest

from imagesmith.compare.balancer import REQUEST_SECONDS, SPARE, configuration
from imagesmith.compare.meter import metered
from imagesmith.compare.network import Attributes, lacks
from imagesmith.compare.probe.schedule import TIMEOUT
from imagesmith.compare.ready import is_ready
from imagesmith.compare.tags import namespace, owner
from imagesmith.compare.workload import HoldTcp, Workload
from imagesmith.docker.process import Process
from imagesmith.recipe import HttpProbe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docker.client import DockerClient
    from docker.models.containers import Container

WORKLOAD = Workload(path="/", port=80, hold=HoldTcp(port=81, say="ping"), connections=200, rate=500)
BRIDGE: Attributes = {
    "Driver": "bridge",
    "Internal": False,
    "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}, {"Subnet": "fd00::/64"}]},
}


def test_the_balancer_takes_all_requests_of_a_pause_besides_the_held_connections() -> None:
    assert REQUEST_SECONDS == TIMEOUT
    assert f"maxconn {SPARE + 200 + 5000}\n" in configuration(WORKLOAD)
    assert f"maxconn {SPARE + 200}\n" in configuration(replace(WORKLOAD, path=None))
    assert f"maxconn {SPARE + 5000}\n" in configuration(replace(WORKLOAD, hold=None))


def test_a_bridge_with_ipv4_does_as_a_network() -> None:
    assert lacks(BRIDGE) is None
    assert lacks({**BRIDGE, "EnableIPv4": True}) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"Driver": "host", "IPAM": {"Config": None}}, "driver is host"),
        ({**BRIDGE, "Internal": True}, "internal"),
        ({**BRIDGE, "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}}, "no IPv4"),
        ({**BRIDGE, "EnableIPv4": False}, "no IPv4"),
    ],
)
def test_any_other_network_is_refused_with_what_it_lacks(wrong: Attributes, said: str) -> None:
    assert said in (lacks(wrong) or "")


def test_a_tag_tells_which_process_of_this_machine_it_is_of() -> None:
    this = Process.this()
    tag = f"{namespace(this)}/shop:0.1.0-pet"
    assert tag == tag.lower()
    assert owner(tag) == this
    assert owner(f"{namespace(replace(this, host='another'))}/shop:0.1.0-pet") is None
    for other in ("shop:0.1.0", "imagesmith-compare-haproxy:latest", "imagesmith-compare/shop:1"):
        assert owner(other) is None


def test_what_has_no_port_yet_is_not_ready() -> None:
    """Docker publishes none while a container does not run, and another one afterwards."""
    none = cast("Container", None)  # an http probe asks no container
    assert not is_ready(HttpProbe(http="/", port=80), none, "shop", {})


def test_an_error_that_ended_the_readings_is_told_at_the_end() -> None:
    failed = Event()

    def ids() -> Sequence[str]:
        failed.set()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), metered(cast("DockerClient", None), ids):
        assert failed.wait(60)
