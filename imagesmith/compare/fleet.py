"""All containers of the application behind the balancer, and what can be done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from imagesmith.compare.balancer import Balancer
from imagesmith.compare.lab import Lab
from imagesmith.compare.replica import Kind, Replica, start_replica
from imagesmith.compare.scenario import Life

__all__ = ["Fleet"]

Tell = Callable[[str], None]


@dataclass(slots=True)
class Fleet:
    """`images` are references by version, of one life; `serving` are the containers that the
    balancer sends to, and `all` those that may run. `tell` hears of each step.

    Raises DockerError and CompareError whenever a container does not do as it is told.
    """

    lab: Lab
    balancer: Balancer
    kind: Kind
    life: Life
    images: Mapping[str, str]
    drain: float
    tell: Tell
    serving: list[Replica] = field(default_factory=list)
    all: list[Replica] = field(default_factory=list)
    _slots: int = 0

    def ids(self) -> Sequence[str]:
        """The containers' IDs."""
        return [str(replica.container.id) for replica in list(self.all)]

    def start(self, version: str, count: int) -> list[Replica]:
        """Start so many at once, and wait until each is ready."""
        started = [self._start(version) for _ in range(count)]
        with ThreadPoolExecutor(max(1, count)) as pool:
            list(pool.map(Replica.wait, started))
        self.tell(f"{_names(started)}: ready")
        return started

    def _start(self, version: str) -> Replica:
        self._slots += 1
        replica = start_replica(self.lab, self.kind, self.images[version], self.life, self._slots)
        self.all.append(replica)
        self.tell(f"{replica.name}: started with {version}")
        return replica

    def take_in(self, replicas: Sequence[Replica]) -> None:
        """The balancer sends to them too."""
        for replica in replicas:
            self.balancer.take_in(replica.slot, replica.address)
            self.serving.append(replica)
        self.tell(f"{_names(replicas)}: in the balancer")

    def take_out(self, replicas: Sequence[Replica]) -> None:
        """The balancer sends nothing new to them."""
        for replica in replicas:
            self.balancer.take_out(replica.slot)
            self.serving.remove(replica)
        self.tell(f"{_names(replicas)}: out of the balancer")

    def retire(self, replica: Replica) -> None:
        """Let it end what it does, for so long as `drain` says, and stop it."""
        if self.balancer.drained(replica.slot, self.drain):
            self.tell(f"{replica.name}: drained")
        else:
            left = self.balancer.sessions(replica.slot)
            self.tell(f"{replica.name}: still has {left} connections, and is told to stop")
        self.stop(replica)

    def stop(self, replica: Replica) -> None:
        """SIGTERM, its grace period, SIGKILL; then it is forgotten."""
        replica.stop()
        self.balancer.forget(replica.slot)
        self.all.remove(replica)
        self.tell(f"{replica.name}: stopped")

    def crash(self) -> None:
        """Kill all that serve, and start them again as an orchestrator does; wait for each."""
        serving = list(self.serving)
        with ThreadPoolExecutor(max(1, len(serving))) as pool:
            list(pool.map(Replica.kill, serving))
            list(pool.map(Replica.start_again, serving))
            for replica in serving:
                self.balancer.take_in(replica.slot, replica.address)
            list(pool.map(Replica.wait, serving))
        self.tell(f"{_names(serving)}: killed, and started again")

    def retire_all(self, replicas: Sequence[Replica]) -> None:
        """`retire` them at the same time."""
        with ThreadPoolExecutor(max(1, len(replicas))) as pool:
            list(pool.map(self.retire, replicas))

    def stop_all(self, replicas: Sequence[Replica]) -> None:
        """`stop` them at the same time."""
        with ThreadPoolExecutor(max(1, len(replicas))) as pool:
            list(pool.map(self.stop, replicas))


def _names(replicas: Sequence[Replica]) -> str:
    return ", ".join(replica.name for replica in replicas)
