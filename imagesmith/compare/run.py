"""What was seen while one change was made, once: times are seconds since the load began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from imagesmith.compare.scenario import Scenario

__all__ = ["Client", "Crash", "Load", "Phase", "Request", "Run", "Span", "Step", "Use"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the schedule: `seconds` from when it was due to its last byte, or its failure.

    `server` is the balancer's name of the container that answered. `late`: seconds by which the
    probe itself sent it after it was due; much of it says that the machine was too busy to measure.
    """

    due: float
    seconds: float
    version: str | None = None
    server: str | None = None
    state: int | None = None
    failure: str | None = None
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Client:
    """One held connection and those that took its place: `live` are (from, to) times in which it
    was there and answering, in order; `drops` the times at which one ended that nobody here had
    closed. A client that is live when the load ends has its last span end there."""

    number: int
    live: Sequence[tuple[float, float]]
    drops: Sequence[float]


@dataclass(frozen=True, slots=True)
class Load:
    """All that the probe saw, for `seconds`."""

    seconds: float
    requests: Sequence[Request]
    clients: Sequence[Client]


@dataclass(frozen=True, slots=True)
class Use:
    """All containers of the application at one time, the balancer not among them: `memory` in
    bytes, `cpu` in cores, as the mean since the reading before, and how many there were."""

    at: float
    memory: int
    cpu: float
    containers: int


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done: `shop-2: ready`."""

    at: float
    text: str


class Phase(StrEnum):
    """What a run goes through, in this order; a run that failed lacks the later ones."""

    BEFORE = "before"
    """OLD runs, and nothing is done."""
    CHANGE = "change"
    """To NEW, from the first step to the last."""
    AFTER = "after"
    """NEW runs, and nothing is done."""
    CRASH = "crash"
    """Every container killed and started again, until the clients are back."""
    BACK = "back"
    """To OLD again, from the first step to the last."""
    END = "end"
    """OLD runs, and nothing is done."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `began` to before `ended`."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Crash:
    """Every container killed (SIGKILL) right after a change to NEW, and started again: the version
    that then answered, and seconds from the first kill until it did. `state_kept` is None where the
    application tells no state. `ready`: when all of them were, a time of the run."""

    version: str | None
    seconds: float
    state_kept: bool | None
    ready: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario gone once. `trouble` is why it ended before its last phase, or None.

    `pauses` are the seconds for which a hot upgrade suspended processes, the longest of each
    container, in the order of the containers; empty elsewhere.
    """

    scenario: Scenario
    load: Load
    phases: dict[Phase, Span]
    steps: Sequence[Step]
    uses: Sequence[Use]
    pauses: Sequence[float] = ()
    crash: Crash | None = None
    trouble: str | None = None
