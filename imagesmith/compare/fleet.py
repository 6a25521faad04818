"""All containers of the application behind the balancer, and what can be done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

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
        slots = [self._slots + number for number in range(1, count + 1)]
        self._slots += count
        started = self.lab.at_once(partial(self._start, version), slots)
        self.lab.at_once(Replica.wait, started)
        self.tell(f"{_names(started)}: ready")
        return started

    def _start(self, version: str, slot: int) -> Replica:
        replica = start_replica(self.lab, self.kind, self.images[version], self.life, slot)
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
        if self.balancer.drained(replica.slot, self.drain, self.lab.ended):
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

    def kill(self) -> None:
        """Kill all that serve: the balancer sends to none of them until they are ready again."""
        self.lab.at_once(self._kill, self.serving)
        self.tell(f"{_names(self.serving)}: killed")

    def revive(self) -> None:
        """Start them again, as an orchestrator does, and wait until each is ready."""
        self.lab.at_once(self._revive, self.serving)
        self.tell(f"{_names(self.serving)}: ready again")

    def _kill(self, replica: Replica) -> None:
        replica.kill()
        self.balancer.forget(replica.slot)

    def _revive(self, replica: Replica) -> None:
        replica.start_again()
        replica.wait()
        self.balancer.take_in(replica.slot, replica.address)

    def retire_all(self, replicas: Sequence[Replica]) -> None:
        """`retire` them at the same time."""
        self.lab.at_once(self.retire, replicas)

    def stop_all(self, replicas: Sequence[Replica]) -> None:
        """`stop` them at the same time."""
        self.lab.at_once(self.stop, replicas)


def _names(replicas: Sequence[Replica]) -> str:
    return ", ".join(replica.name for replica in replicas)
