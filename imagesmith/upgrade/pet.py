"""A pet as it is found: its container, its volume, its node."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from imagesmith.beam.term import Atom, Map, Term
from imagesmith.docker.container import Container, State
from imagesmith.errors import DockerError, UpgradeError
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.node import Node, string
from imagesmith.upgrade.volume import Volume, VolumeState, read_volume

__all__ = ["Ended", "NodeState", "Pet", "look", "standing", "wait_for_node"]


RESTART_SECONDS = 120


class Ended(UpgradeError):
    """The VM ends, and Docker starts the container again at its permanent version."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the node says of itself.

    `releases` has the status that release_handler gives each version (`permanent`, `current`,
    `old`, `unpacked`). `kept` are modules whose old code some process may still run. `memory` is
    in bytes, `uptime` in seconds.
    """

    name: str
    otp: str
    erts: str
    root: str
    sasl: bool
    releases: Mapping[str, str]
    processes: int
    memory: int
    uptime: int
    kept: tuple[str, ...]

    @property
    def permanent(self) -> str:
        """The version that release_handler would boot."""
        return self._with("permanent")

    @property
    def running(self) -> str:
        """The version whose code runs: installed and not yet confirmed, or permanent."""
        return self._with("current") or self.permanent

    def _with(self, status: str) -> str:
        return next((version for version, found in self.releases.items() if found == status), "")


@dataclass(frozen=True, slots=True)
class Pet:
    """A container with what was found in it."""

    lines: Lines
    state: State
    found: VolumeState
    node: Node
    running: NodeState

    @property
    def container(self) -> Container:
        """The container itself."""
        return self.lines.container

    @property
    def name(self) -> str:
        """The container's name."""
        return self.state.name

    def has_ended(self) -> bool:
        """Whether its VM ended since it was looked at: the container is down, or has been started
        again. Raises DockerError."""
        state = self.container.state()
        return state.status != "running" or state.started != self.state.started

    def words_of_release_handler(self) -> str:
        """What release_handler printed when an installation ended the VM, or "".

        OTP: release_handler.erl, handle_call({install_release, …}): "… failed, Reason=…".
        """
        lines = list(self.container.logs(300))
        starts = [n for n, line in enumerate(lines) if "release_handler:install_release(" in line]
        if not starts:
            return ""
        said = " ".join(line.strip() for line in lines[starts[-1] : starts[-1] + 6])
        return said.partition("Reason=")[2][:300].strip() or said[:300]

    def volume(self) -> Volume:
        """Its volume, to be changed."""
        return Volume(self.lines, self.found.root)


def look(lines: Lines) -> Pet:
    """Read everything; nothing is changed. Raises DockerError, UpgradeError."""
    container = lines.container
    state = container.state()
    if state.status != "running":
        raise UpgradeError(
            f"{state.name}: the container is {state.status}, and only a running one is upgraded",
            hint=f"`docker start {state.name}` starts it at its permanent version.",
        )
    found = read_volume(lines)
    node = Node(lines, found.name, found.tool)
    return Pet(lines, state, found, node, read_node(node))


def read_node(node: Node) -> NodeState:
    """Ask the node. Raises UpgradeError if it does not answer."""
    answer = node.ask("state", {})
    if not isinstance(answer, Map):
        raise UpgradeError(f"{node.container.name}: the node's state makes no sense")

    def value(key: str) -> Term | None:
        return answer.get(Atom(key))

    def number(key: str) -> int:
        held = value(key)
        return held if isinstance(held, int) else 0

    def terms(key: str) -> list[Term]:
        held = value(key)
        return held if isinstance(held, list) else []

    releases = {}
    for item in terms("releases"):
        match item:
            case (version, status):
                releases[string(version)] = string(status)
    return NodeState(
        name=string(value("node")),
        otp=string(value("otp")),
        erts=string(value("erts")),
        root=string(value("root")),
        sasl=value("sasl") == Atom("true"),
        releases=releases,
        processes=number("processes"),
        memory=number("memory"),
        uptime=number("uptime"),
        kept=tuple(string(module) for module in terms("kept")),
    )


def standing(lines: Lines) -> str:
    """In which state things are, for the end of an error: as it is found now."""
    try:
        pet = look(lines)
    except (UpgradeError, DockerError) as error:
        return f"What it is in now cannot be read ({error.message})"
    now = pet.running
    others = [version for version in pet.found.releases if version != now.running]
    held = f"; the volume holds {', '.join(others)} as well" if others else ""
    if now.running == now.permanent == pet.found.start:
        return f"It runs {now.running}, which is permanent{held}"
    return (
        f"It runs {now.running}; permanent, and what the next start boots, is "
        f"{pet.found.start}{held}"
    )


def wait_for_node(pet: Pet, *, ended: bool = False) -> None:
    """Until the node answers; with `ended` first until the container has been started again.

    Raises UpgradeError if it does not.
    """
    pet.lines.close()  # they may not have heard yet that what they lead to has ended
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        try:
            if not ended or pet.container.state().started != pet.state.started:
                read_node(pet.node)
                return
            said = "its VM is still ending"
        except (UpgradeError, DockerError) as error:
            said = error.message
        if time.monotonic() > deadline:
            raise UpgradeError(
                f"{pet.name}: it does not answer {RESTART_SECONDS} s after its VM ended: {said}",
                hint=f"`docker logs {pet.name}` has the node's own words.",
            )
        time.sleep(0.5)
