"""All that a comparison starts in Docker: labelled, and removed when it ends, however it ends.

What a comparison left behind that was killed, the next one removes.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from imagesmith.compare.balancer import (
    HELD,
    LOOPBACK,
    REQUESTS,
    RUNTIME,
    SLOTS,
    WANTED,
    Balancer,
    Ports,
    configuration,
)
from imagesmith.compare.signals import undisturbed
from imagesmith.compare.workload import Workload
from imagesmith.docker.process import Process
from imagesmith.docker.sdk import telling
from imagesmith.errors import CompareError, DockerError

if TYPE_CHECKING:
    from docker.client import DockerClient
    from docker.models.containers import Container

__all__ = ["ANY_PORT", "LABEL", "Lab", "clear_dead", "open_lab", "own_label", "tail"]

Item = TypeVar("Item")
Made = TypeVar("Made")

LABEL = "imagesmith.compare"
"""On everything, with the process that started it as its value."""

ANY_PORT = 0
"""Docker picks one that is free."""

START = 'printf %s "$0" > /tmp/haproxy.cfg && exec haproxy -db -f /tmp/haproxy.cfg'
"""Its configuration reaches it on its command line: no file of this machine has to be there."""
BALANCER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Lab:
    """A network, and what runs in it. `labels` go onto everything.

    What waits in a thread of `pool` looks at `ended`, which is set before everything is removed.
    """

    client: DockerClient
    id: str
    network: str
    labels: Mapping[str, str]
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(SLOTS))
    ended: Event = field(default_factory=Event)

    def name(self, what: str) -> str:
        """A name for one of its containers or volumes."""
        return f"imagesmith-compare-{self.id}-{what}"

    def at_once(self, do: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
        """Do it for all of them at the same time. Raises what the first raises that fails; the
        others go on meanwhile, at most until the lab is cleared."""
        return list(self.pool.map(do, items))

    def balancer(self, image: str, workload: Workload) -> Balancer:
        """Start HAProxy, and wait until it takes orders. Raises DockerError, CompareError."""
        ports = {REQUESTS: workload.path is not None, HELD: workload.hold is not None}
        published = [RUNTIME, *(port for port, there in ports.items() if there)]
        with telling("the balancer cannot be started"):
            container = self.client.containers.run(
                image,
                ["sh", "-c", START, configuration(workload)],
                entrypoint="",
                user="0",
                detach=True,
                name=self.name("balancer"),
                labels=dict(self.labels),
                network=self.network,
                ports={f"{port}/tcp": (LOOPBACK, ANY_PORT) for port in published},
            )
            container.reload()
        found = Ports(*(_published(container, port) for port in (REQUESTS, HELD, RUNTIME)))
        balancer = Balancer.of(found, workload)
        if not balancer.answers(BALANCER_SECONDS, self.ended):
            with telling("the balancer does not start"):
                said = container.logs(tail=5).decode(errors="replace").strip()
            raise CompareError(
                f"the balancer does not start: {said or 'it says nothing'}",
                hint=WANTED,
            )
        return balancer

    def clear(self) -> None:
        """Remove everything of it, undisturbed by signals. Raises DockerError if Docker is gone.

        What threads wait for ends with its container; what they start until they have ended is
        removed after it.
        """
        label = f"{LABEL}={self.labels[LABEL]}"
        with undisturbed():
            self.ended.set()
            try:
                _remove_containers(self.client, label)
            finally:
                self.pool.shutdown(cancel_futures=True)
            _remove(self.client, label)


def _published(container: Container, port: int) -> int:
    found = container.ports.get(f"{port}/tcp") or []
    return int(found[0]["HostPort"]) if found else 0


def own_label() -> dict[str, str]:
    """What this process labels things with."""
    return {LABEL: str(Process.this())}


@contextmanager
def open_lab(client: DockerClient, network: str | None = None) -> Iterator[Lab]:
    """A lab, with a network of its own unless one is named; cleared at the end.

    Raises DockerError.
    """
    clear_dead(client)
    id_ = uuid.uuid4().hex[:8]
    labels = own_label()
    lab = Lab(client, id_, network or f"imagesmith-compare-{id_}", labels)
    try:
        if network is None:
            with telling("no network can be made"):
                client.networks.create(lab.network, driver="bridge", labels=labels)
        yield lab
    except BaseException:
        # What went wrong is to be told, and not that Docker, gone meanwhile, removes nothing.
        with suppress(DockerError):
            lab.clear()
        raise
    lab.clear()


def clear_dead(client: DockerClient) -> None:
    """Remove what comparisons left that were killed on this machine. Raises DockerError."""
    owners = set()
    with telling("nothing can be looked up"):
        for found in (
            *client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True),
            *client.volumes.list(filters={"label": LABEL}),
            *client.networks.list(filters={"label": LABEL}),
        ):
            owners.add(_labels(found.attrs).get(LABEL, ""))
    for owner in owners - {str(Process.this())}:
        process = _process(owner)
        if process is not None and process.is_here and not process.lives():
            _remove(client, f"{LABEL}={owner}")


def _labels(attributes: Mapping[str, object]) -> Mapping[str, str]:
    """Docker has those of a container elsewhere than those of a volume or network."""
    config = attributes.get("Config")
    found = config.get("Labels") if isinstance(config, dict) else attributes.get("Labels")
    return found if isinstance(found, dict) else {}


def _process(text: str) -> Process | None:
    match text.split("/"):
        case [host, pid, started] if pid.isdigit():
            return Process(host, int(pid), started)
    return None


def _remove(client: DockerClient, label: str) -> None:
    """Containers first: nothing else can go while they use it."""
    _remove_containers(client, label)
    wanted: dict[str, str | list[str] | bool] = {"label": label}
    with telling(f"what has the label {label} cannot be removed"):
        for volume in client.volumes.list(filters=wanted):
            volume.remove(force=True)
        for network in client.networks.list(filters=wanted):
            network.remove()


def _remove_containers(client: DockerClient, label: str) -> None:
    wanted: dict[str, str | list[str] | bool] = {"label": label}
    with telling(f"containers with the label {label} cannot be removed"):
        for container in client.containers.list(all=True, filters=wanted, ignore_removed=True):
            container.remove(force=True, v=True)


def tail(container: Container, lines: int = 12) -> Sequence[str]:
    """The last lines that a container printed."""
    with telling("its log cannot be read"):
        return container.logs(tail=lines).decode(errors="replace").strip().splitlines()
