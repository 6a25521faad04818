"""One container of the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from imagesmith.compare.balancer import LOOPBACK
from imagesmith.compare.lab import ANY_PORT, Lab, tail
from imagesmith.compare.ready import is_ready, probe_port
from imagesmith.compare.scenario import Life
from imagesmith.compare.until import until
from imagesmith.docker.sdk import telling
from imagesmith.errors import CompareError
from imagesmith.recipe import Probe

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["Kind", "Replica", "start_replica"]

ASK_AGAIN_SECONDS = 0.1
MOST_RESTARTS = 1
"""Who fails once as it starts, since something is not there yet, may be ready the next time."""
TMP = {"/tmp": "rw,mode=1777"}  # noqa: S108  # the container's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How every container of the application is run, whatever its life and version.

    `release` is the release's name; `cpus` in cores and `memory` in bytes, None for no limit;
    `ready_seconds` is how long it may take to be ready, `stop_seconds` to stop.
    """

    release: str
    probe: Probe
    environment: Mapping[str, str]
    volume: str
    cpus: float | None
    memory: int | None
    ready_seconds: float
    stop_seconds: int


@dataclass(slots=True)
class Replica:
    """A container, and the slot that it has in the balancer. `address` is its own in the network,
    "" while it does not run. Nobody waits for it once `ended` is set."""

    container: Container
    kind: Kind
    slot: int
    address: str
    published: Mapping[int, int]
    ended: Event

    @property
    def name(self) -> str:
        """What steps call it."""
        return f"s{self.slot}"

    def wait(self) -> None:
        """Until it is ready. Raises CompareError with its last words if it never is, or ends."""
        if not until(self._is_ready, self.kind.ready_seconds, self.ended, ASK_AGAIN_SECONDS):
            raise self._trouble(f"is not ready within {self.kind.ready_seconds:g} s")

    def _is_ready(self) -> bool:
        with telling(f"{self.name} cannot be asked"):
            self._look()  # Docker gives it another port whenever it starts it again
            if self.container.attrs.get("RestartCount", 0) > MOST_RESTARTS:
                raise self._trouble("ends as soon as it starts")
            return is_ready(self.kind.probe, self.container, self.kind.release, self.published)

    def _trouble(self, what: str) -> CompareError:
        """Its last words are in the hint alone: no report shows them, which may tell anything."""
        # `shop:0.2.0-cattle`: what is before it is this process's, and the digest long.
        image = self.container.attrs["Config"]["Image"].partition("@")[0].rpartition("/")[2]
        lines = "".join(f"\n    {line}" for line in tail(self.container))
        return CompareError(
            f"a container of {image} {what}",
            hint=f"The last that it said:{lines or ' nothing'}\n  Try it by `docker run`; "
            "`--env NAME=VALUE` gives it what it needs, `--ready SECONDS` more time.",
        )

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when the grace period is over."""
        with telling(f"{self.name} cannot be stopped"):
            self.container.stop(timeout=self.kind.stop_seconds)

    def kill(self) -> None:
        """SIGKILL, as when the memory is used up."""
        with telling(f"{self.name} cannot be killed"):
            self.container.kill()

    def start_again(self) -> None:
        """As an orchestrator does after a crash; its address may be another one."""
        with telling(f"{self.name} cannot be started"):
            self.container.start()
            self._look()

    def _look(self) -> None:
        self.container.reload()
        self.address, self.published = _places(self.container)


def start_replica(lab: Lab, kind: Kind, image: str, life: Life, slot: int) -> Replica:
    """Start one; `wait` says when it is ready. Raises DockerError."""
    name = lab.name(f"s{slot}")
    with telling(f"a container of {image} cannot be started"):
        volumes = {}
        if life is Life.PET:
            lab.client.volumes.create(name, labels=dict(lab.labels))
            volumes = {name: {"bind": kind.volume, "mode": "rw"}}
        port = probe_port(kind.probe)
        container = lab.client.containers.run(
            image,
            detach=True,
            name=name,
            labels=dict(lab.labels),
            network=lab.network,
            environment=dict(kind.environment),
            read_only=True,
            tmpfs=dict(TMP),
            cap_drop=["ALL"],
            nano_cpus=int(kind.cpus * 1e9) if kind.cpus else None,
            mem_limit=kind.memory,
            ports={f"{port}/tcp": (LOOPBACK, ANY_PORT)} if port else None,
            restart_policy={"Name": "always"},
            volumes=volumes,
        )
        container.reload()
    address, published = _places(container)
    return Replica(container, kind, slot, address, published, lab.ended)


def _places(container: Container) -> tuple[str, Mapping[int, int]]:
    """Its address in the network, and the ports of this machine that lead to its own."""
    networks = container.attrs["NetworkSettings"]["Networks"]
    address = next((str(item["IPAddress"]) for item in networks.values()), "")
    published = {
        int(port.partition("/")[0]): int(found[0]["HostPort"])
        for port, found in container.ports.items()
        if found
    }
    return address, published
