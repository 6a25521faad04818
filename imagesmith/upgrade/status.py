"""How a pet stands: its versions, what differs between image and volume, disk, the base's age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from imagesmith.errors import DockerError, UpgradeError
from imagesmith.upgrade.history import Event, read_history
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.node import Node
from imagesmith.upgrade.pet import NodeState, read_node
from imagesmith.upgrade.volume import Volume, VolumeState, read_volume

__all__ = ["Status", "read_status"]


@dataclass(frozen=True, slots=True)
class Status:
    """What `status` tells of a container.

    `image` is the version that the image brings, `permanent` the one that a start boots, `current`
    the one that runs, or "" where the node does not answer; `old` are versions on the volume that
    neither is. `drift` says in words where image and volume differ. `kept` are modules whose old
    code is still there, `days` the age of the image's base, if it is known.
    """

    container: str
    name: str
    status: str
    upgradable: str
    image: str
    image_reference: str
    permanent: str
    current: str
    old: Sequence[str]
    drift: Sequence[str]
    kept: Sequence[str]
    used: int
    free: int
    days: int | None
    lock: str | None
    last: Event | None

    def document(self) -> Mapping[str, object]:
        """As JSON has it."""
        return {
            "container": self.container,
            "release": self.name,
            "status": self.status,
            "upgradable": not self.upgradable,
            "because": self.upgradable,
            "image": {"version": self.image, "reference": self.image_reference},
            "permanent": self.permanent,
            "current": self.current,
            "confirmed": self.current == self.permanent,
            "old": list(self.old),
            "drift": list(self.drift),
            "old_code": list(self.kept),
            "volume": {"used": self.used, "free": self.free},
            "base_age_days": self.days,
            "lock": self.lock,
        }


def read_status(lines: Lines) -> Status:
    """Read it; nothing is changed. Raises DockerError, UpgradeError for what is no pet."""
    state = lines.container.state()
    if state.status != "running":
        raise UpgradeError(
            f"{state.name}: the container is {state.status}",
            hint=f"`docker start {state.name}` starts it at its permanent version.",
        )
    found = read_volume(lines)
    node: NodeState | None = None
    with suppress(UpgradeError, DockerError):  # it starts, or it hangs: the volume tells all
        node = read_node(Node(lines, found.name, found.tool))
    current = node.running if node else ""
    permanent = found.start if found.in_use else found.version
    history = read_history(Volume(lines, found.root)) if found.in_use else []
    return Status(
        container=state.name,
        name=found.name,
        status=state.status if node else "the node does not answer",
        upgradable=_hindrance(found),
        image=found.version,
        image_reference=state.image_name,
        permanent=permanent,
        current=current,
        old=[v for v in found.releases if v not in (current, permanent)],
        drift=_drift(found, permanent, current, state.image_name),
        kept=node.kept if node else (),
        used=found.used,
        free=found.free,
        days=_days(state.labels.get(BASE_CREATED, "")),
        lock=found.lock,
        last=history[-1] if history else None,
    )


BASE_CREATED = "io.imagesmith.base.created"


def _hindrance(found: VolumeState) -> str:
    if not found.mounted:
        return f"no volume is mounted at {found.root}"
    if not found.in_use:
        return f"the volume at {found.root} is not in use"
    if not found.writable:
        return f"the volume at {found.root} cannot be written"
    return ""


def _drift(found: VolumeState, permanent: str, current: str, image: str) -> list[str]:
    drift = []
    if found.in_use and permanent != found.version:
        drift.append(
            f"{image} brings {found.version}, and the volume has led to {permanent}: a container "
            f"made anew with a fresh volume would start {found.version}"
        )
    if current and current != permanent:
        drift.append(f"{current} runs and is not confirmed: a restart boots {permanent}")
    if found.mounted and not found.belongs:
        drift.append("the volume holds the upgrades of another image")
    if found.aside:
        drift.append(f"set aside: {', '.join(found.aside)}")
    return drift


def _days(created: str) -> int | None:
    try:
        then = datetime.fromisoformat(created)
    except ValueError:
        return None
    return (datetime.now(UTC) - then).days
