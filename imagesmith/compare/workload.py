"""What is asked of an application while it changes, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Hold", "HoldHttp", "HoldTcp", "HoldWebsocket", "Workload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldHttp:
    """An HTTP/1.1 connection that is kept; a GET of `path` every `every` seconds."""

    path: str
    port: int
    every: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWebsocket:
    """A WebSocket at `path`; a ping frame, after the text `say` if there is one, every `every`
    seconds. The pong is what says that it lives: not every application answers a text.

    Live from the answer 101 on.
    """

    path: str
    port: int
    say: str | None = None
    every: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTcp:
    """A TCP connection; the line `say` every `every` seconds, which the application answers with a
    line. Live from the first bytes that the application sends on: a balancer accepts before it."""

    port: int
    say: str
    every: float = 1.0


Hold: TypeAlias = HoldHttp | HoldWebsocket | HoldTcp


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`connections` are held, and `rate` requests a second are sent, each when it is due.

    The requests are GETs of `path` at the container's `port`; without a `path` there are none, and
    without `hold` there are no connections: a workload of neither loads nothing.

    `version` and `state` are keys of the JSON object that answers: the version that runs, and a
    whole number that only grows while the application keeps its state. `jitter`: seconds up to
    which a client waits longer, at random, than Phoenix's would before it connects again.
    `replicas` of the application share the load.
    """

    path: str | None
    port: int = 0
    version: str | None = None
    state: str | None = None
    hold: Hold | None
    connections: int = 200
    rate: float = 50.0
    jitter: float = 0.0
    replicas: int = 2
