"""Whether a pet is well: its supervision trees are whole, and the recipe's probe answers.

The probe is asked from inside the container, by its own shell, so that it works on any Docker host
and needs no published port.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imagesmith.beam.term import Term
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.checks import Tell
from imagesmith.upgrade.node import Node, string
from imagesmith.upgrade.pet import Pet

if TYPE_CHECKING:
    from imagesmith.recipe import Probe

__all__ = ["Trees", "read_trees", "watch"]

Trees = Mapping[tuple[str, ...], str]
"""Each static child by its path (application, then supervisors' ids): its process, or a state."""

ASK_AGAIN_SECONDS = 1.0
PROBE_SECONDS = 5.0


def read_trees(node: Node) -> Trees:
    """The supervision trees of every application as they are. Raises UpgradeError."""
    answer = node.ask("trees", {})
    found: dict[tuple[str, ...], str] = {}
    for item in answer if isinstance(answer, list) else []:
        match item:
            case (application, list() as children):
                found.update(_children(string(application), children))
    return found


def _children(application: str, children: list[Term]) -> Trees:
    found = {}
    for item in children:
        match item:
            case (list() as path, state):
                found[application, *map(string, path)] = string(state)
    return found


def broken(before: Trees, now: Trees, *, restarted: bool) -> list[str]:
    """What was there before and is not now; with `restarted` also whose process is another."""
    wrong = []
    for path, process in before.items():
        name = " / ".join(path)
        if path not in now:
            continue  # the relup took it away, or its supervisor is named already
        if process.startswith("<") and not now[path].startswith("<"):
            wrong.append(f"{name} is {now[path]}")
        elif restarted and process.startswith("<") and process != now[path]:
            wrong.append(f"{name} crashed and was restarted")
    applications = {path[0] for path in before} - {path[0] for path in now}
    return [*(f"application {name} has stopped" for name in sorted(applications)), *wrong]


def watch(pet: Pet, before: Trees, probe: Probe | None, seconds: float, tell: Tell) -> list[str]:
    """Look for `seconds`, at least once: what is wrong, or nothing."""
    deadline = time.monotonic() + seconds
    asked = "supervision trees" + (" and the probe" if probe else "")
    if seconds:
        tell(f"watching {asked} for {seconds:g} s")
    while True:
        try:
            wrong = broken(before, read_trees(pet.node), restarted=True)
        except UpgradeError as error:
            wrong = [error.message]
        if not wrong and probe is not None:
            wrong = _asked(pet, probe)
        if wrong or time.monotonic() >= deadline:
            return wrong
        time.sleep(min(ASK_AGAIN_SECONDS, max(deadline - time.monotonic(), 0)))


def _asked(pet: Pet, probe: Probe) -> list[str]:
    """What the probe has to object."""
    from imagesmith.recipe import HttpProbe, RpcProbe, WebsocketProbe

    if isinstance(probe, RpcProbe):
        verb = "rpc" if pet.found.tool == "mix" else "eval"
        answer = pet.container.run(f"bin/{pet.found.name}", verb, probe.rpc)
        said = (answer.said.strip() or answer.text).splitlines()
        return [] if answer.code == 0 else [f"rpc: {said[0] if said else 'it raised'}"]
    match probe:
        case HttpProbe():
            port, request = probe.port, ["GET", probe.http]
        case WebsocketProbe():
            port, request = probe.port, ["WEBSOCKET", probe.websocket]
        case _:
            port, request = probe.tcp, []
    answered = pet.node.ask("probe", {"port": port, "request": [item.encode() for item in request]})
    words = string(answered).strip()
    return [] if words == "ok" else [f"port {port}: {words}"]
