"""HAProxy before the containers: its image, its configuration, and what it is told as it runs.

Containers come and go while it runs, by its runtime API ("management guide", section 9.3): each
takes a slot of a `server-template`, which gets an address and a state.
"""

from __future__ import annotations

import csv
import io
import re
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from threading import Event

from imagesmith.compare.until import until
from imagesmith.compare.workload import HoldTcp, Workload
from imagesmith.errors import CompareError, DockerError

__all__ = [
    "DOCKERFILE",
    "LOOPBACK",
    "SLOTS",
    "Balancer",
    "Ports",
    "balancer_version",
    "build_balancer",
    "configuration",
]

LOOPBACK = "127.0.0.1"
"""Where ports of containers are published: nobody else's machine reaches them."""

REQUESTS, HELD, RUNTIME = 8000, 8001, 9999
"""Its own ports, in its container."""

SLOTS = 64
SPARE = 1_000
"""Connections besides those that are counted. HAProxy opens as many files as it may have to, and
the system limits them."""
REQUEST_SECONDS = 10.0
"""A request that is not answered is given up after it: for so long they can pile up."""

ANSWER_SECONDS = 10.0
DEBIAN = "debian:bookworm-slim"
IMAGE = "imagesmith-compare-haproxy"
OLDEST = (2, 4)
"""The first that sets a `server-template`'s address, and gives a GET to another server, as here."""
WANTED = "It wants HAProxy 2.4 or newer, and a shell: `--balancer IMAGE`."
NOT_RUN = 125
"""Docker itself failed: there is no such image, say (`docker run`'s manual, "exit status")."""

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
        most=SPARE + _at_once(workload),
        sections="\n".join(sections),
    )


def _at_once(workload: Workload) -> int:
    """The most connections that clients have to it, while no container answers."""
    requests = ceil(workload.rate * REQUEST_SECONDS) if workload.path is not None else 0
    return requests + (workload.connections if workload.hold is not None else 0)


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
        raise DockerError(
            f"the balancer's image cannot be built: {_last(done.stderr)}",
            hint="Name an image with HAProxy 2.4 or newer: `--balancer IMAGE`.",
        )
    return IMAGE


def balancer_version(image: str, labels: Mapping[str, str]) -> str:
    """The version of HAProxy in an image, which Docker pulls if it has to: `2.6.12-1+deb12u1`.

    Raises DockerError, and CompareError for an image that has none, or one that is too old.
    """
    marked = [word for pair in labels.items() for word in ("--label", "=".join(pair))]
    asked = ("--network", "none", "--entrypoint", "haproxy", image, "-v")
    done = subprocess.run(
        ["docker", "run", "--rm", *marked, *asked], capture_output=True, text=True, check=False
    )
    found = re.search(r"version (([0-9]+)\.([0-9]+)\S*)", done.stdout)
    if done.returncode == NOT_RUN or not found:
        error = DockerError if done.returncode == NOT_RUN else CompareError
        raise error(
            f"{image} does not tell HAProxy's version: {_last(done.stderr or done.stdout)}",
            hint=WANTED,
        )
    if (int(found[2]), int(found[3])) < OLDEST:
        raise CompareError(f"{image} has HAProxy {found[1]}", hint=WANTED)
    return found[1]


def _last(said: str) -> str:
    """Its last words, but for Docker's advice on its own command."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if "docker run --help" not in line]
    return told[-1].removeprefix("docker: ") if told else "no word"


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
        """It is gone: nothing goes to it, and what HAProxy still holds open to it is closed, which
        "maint" alone does not do (management guide, "set server", "shutdown sessions server")."""
        for backend in self.backends:
            self._tell(f"set server {backend}/s{slot} state maint")
            self._tell(f"shutdown sessions server {backend}/s{slot}")

    def sessions(self, slot: int) -> int:
        """How many requests and connections it has now."""
        stats = csv.DictReader(io.StringIO(self.ask("show stat").lstrip("# ")))
        return sum(int(row["scur"]) for row in stats if row["svname"] == f"s{slot}")

    def drained(self, slot: int, seconds: float, ended: Event | None = None) -> bool:
        """Wait until it has none any more, or for so long; whether it has none."""
        return until(lambda: self.sessions(slot) == 0, seconds, ended)

    def answers(self, seconds: float, ended: Event | None = None) -> bool:
        """Wait until it takes orders, or for so long; whether it does."""

        def answered() -> bool:
            try:
                return bool(self.ask("show version"))
            except DockerError:
                return False

        return until(answered, seconds, ended)

    def ask(self, command: str) -> str:
        """What it answers to one command of its runtime API."""
        try:
            with socket.create_connection(
                (LOOPBACK, self.ports.runtime), timeout=ANSWER_SECONDS
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
