"""Whether a container is ready, by the recipe's probe, as an orchestrator's readiness probe asks.

From this machine, through the port that is published for it; an `rpc` probe is asked inside.
"""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from docker.errors import APIError

from imagesmith.compare.balancer import LOOPBACK
from imagesmith.recipe import HttpProbe, Probe, RpcProbe, WebsocketProbe

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["is_ready", "probe_port"]

SECONDS = 2.0
STAYS_SECONDS = 0.2


def probe_port(probe: Probe) -> int | None:
    """The container's port that it asks; None for one that is asked inside."""
    match probe:
        case RpcProbe():
            return None
        case HttpProbe() | WebsocketProbe():
            return probe.port
    return probe.tcp


def is_ready(
    probe: Probe, container: Container, release: str, published: Mapping[int, int]
) -> bool:
    """Ask once. `published` has the ports of this machine by the container's: none while it does
    not run."""
    if isinstance(probe, RpcProbe):
        try:
            code, _ = container.exec_run([f"bin/{release}", "rpc", probe.rpc])
        except APIError:
            return False  # it does not run, or has just ended
        return code == 0
    port = published.get(probe_port(probe) or 0)
    if port is None:
        return False
    try:
        match probe:
            case HttpProbe():
                return 200 <= _status(port, probe.http, {}) < 400
            case WebsocketProbe():
                key = base64.b64encode(b"imagesmith probe").decode()
                upgrade = {
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": key,
                }
                return _status(port, probe.websocket, upgrade) == 101
            case _:
                return _stays_open(port)
    except (OSError, http.client.HTTPException):
        return False


def _status(port: int, path: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


def _stays_open(port: int) -> bool:
    """Docker's proxy takes every connection, and closes those that nobody takes behind it."""
    with socket.create_connection((LOOPBACK, port), timeout=SECONDS) as there:
        there.settimeout(STAYS_SECONDS)
        try:
            return there.recv(1) != b""
        except TimeoutError:
            return True
