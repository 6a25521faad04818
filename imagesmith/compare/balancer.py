"""HAProxy before the containers: its image, its configuration, and what it is told as it runs.

Containers come and go while it runs, by its runtime API ("management guide", section 9.3): each
takes a slot of a `server-template`, which gets an address and a state.
"""

from __future__ import annotations

import csv
import io
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from imagesmith.compare.workload import HoldTcp, Workload
from imagesmith.errors import DockerError

__all__ = ["DOCKERFILE", "SLOTS", "Balancer", "Ports", "build_balancer", "configuration"]

REQUESTS, HELD, RUNTIME = 8000, 8001, 9999
"""Its own ports, in its container."""

SLOTS = 64
REQUESTS_AT_ONCE = 1_000
"""Besides held connections. HAProxy opens as many files as it may have to, and the system limits
them."""

ANSWER_SECONDS = 10.0
DEBIAN = "debian:bookworm-slim"
IMAGE = "imagesmith-compare-haproxy"

DOCKERFILE = """\
ARG DEBIAN
FROM ${DEBIAN}
RUN apt-get update -q \\
    && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends haproxy \\
    && rm -rf /var/lib/apt/lists/*
"""

CONFIGURATION = """\
global
  stats socket ipv4@*:{runtime} level admin
  stats timeout 1h
  maxconn {most}
  # Four threads balance far more than one machine can ask for, and more would only cost memory.
  nbthread {threads}

defaults
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  # What a container refuses or leaves unanswered, another one gets, as ingress controllers do.
  option redispatch 1
  retries 3

{sections}"""

HTTP = """\
frontend {name}
  mode http
  bind *:{port}
  default_backend {name}

backend {name}
  mode http
  balance roundrobin
  retry-on conn-failure empty-response
  http-request disable-l7-retry unless METH_GET
  http-response set-header x-imagesmith-server %s
  server-template s 1-{slots} 0.0.0.0:{to} disabled
"""

TCP = """\
frontend {name}
  mode tcp
  bind *:{port}
  default_backend {name}

backend {name}
  mode tcp
  balance leastconn
  server-template s 1-{slots} 0.0.0.0:{to} disabled
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a balancer is reached from this machine: ports of 127.0.0.1."""

    requests: int
    held: int
    runtime: int


def configuration(workload: Workload, *, threads: int = 2) -> str:
    """HAProxy's own, for the two kinds of traffic: a backend each."""
    sections = []
    if workload.path is not None:
        sections.append(HTTP.format(name="requests", port=REQUESTS, to=workload.port, slots=SLOTS))
    if workload.hold is not None:
        form = TCP if isinstance(workload.hold, HoldTcp) else HTTP
        sections.append(form.format(name="held", port=HELD, to=workload.hold.port, slots=SLOTS))
    return CONFIGURATION.format(
        runtime=RUNTIME,
        threads=threads,
        most=workload.connections + REQUESTS_AT_ONCE,
        sections="\n".join(sections),
    )


def build_balancer(debian: str = DEBIAN) -> str:
    """Build the image from Debian's package, which Docker keeps for the next time; its name.

    Raises DockerError with Docker's last words.
    """
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", IMAGE, "--build-arg", f"DEBIAN={debian}", "-"],
        input=DOCKERFILE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise DockerError(
            f"the balancer's image cannot be built: {said[-1].strip() if said else 'no word'}",
            hint="Name an image with HAProxy 2.4 or newer: `--balancer IMAGE`.",
        )
    return IMAGE


@dataclass(frozen=True, slots=True)
class Balancer:
    """One that runs. `backends` are the names of those that it has; raises DockerError whenever it
    does not answer, or refuses."""

    ports: Ports
    backends: tuple[str, ...]

    @classmethod
    def of(cls, ports: Ports, workload: Workload) -> Balancer:
        """The one that was started with this workload's configuration."""
        has = {"requests": workload.path is not None, "held": workload.hold is not None}
        return cls(ports, tuple(name for name, there in has.items() if there))

    def take_in(self, slot: int, address: str) -> None:
        """Let a container have its share from now on."""
        for backend in self.backends:
            self._tell(f"set server {backend}/s{slot} addr {address}")
            self._tell(f"set server {backend}/s{slot} state ready")

    def take_out(self, slot: int) -> None:
        """Nothing new goes to it; what it has, it keeps."""
        for backend in self.backends:
            self._tell(f"set server {backend}/s{slot} state drain")

    def forget(self, slot: int) -> None:
        """It is gone: kept connections to it are closed."""
        for backend in self.backends:
            self._tell(f"set server {backend}/s{slot} state maint")

    def sessions(self, slot: int) -> int:
        """How many requests and connections it has now."""
        stats = csv.DictReader(io.StringIO(self.ask("show stat").lstrip("# ")))
        return sum(int(row["scur"]) for row in stats if row["svname"] == f"s{slot}")

    def drained(self, slot: int, seconds: float) -> bool:
        """Wait until it has none any more, or for so long; whether it has none."""
        return _wait(lambda: self.sessions(slot) == 0, seconds)

    def answers(self, seconds: float) -> bool:
        """Wait until it takes orders, or for so long; whether it does."""

        def answered() -> bool:
            try:
                return bool(self.ask("show version"))
            except DockerError:
                return False

        return _wait(answered, seconds)

    def ask(self, command: str) -> str:
        """What it answers to one command of its runtime API."""
        try:
            with socket.create_connection(
                ("127.0.0.1", self.ports.runtime), timeout=ANSWER_SECONDS
            ) as there:
                there.sendall(f"{command}\n".encode())
                parts = []
                while part := there.recv(65536):
                    parts.append(part)
        except OSError as error:
            raise DockerError(f"the balancer does not answer: {error.strerror or error}") from None
        return b"".join(parts).decode(errors="replace").strip()

    def _tell(self, command: str) -> None:
        said = self.ask(command)
        # It reports a change of address in words; anything else is a complaint.
        if said and "changed" not in said and "no need to change" not in said:
            raise DockerError(f"the balancer refused `{command}`: {said.splitlines()[0]}")


def _wait(true: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True
