"""What is checked before anything is changed; each refusal leaves all as it was."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from imagesmith.beam.term import Atom, Term
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.facts import Facts
from imagesmith.upgrade.node import Node, string
from imagesmith.upgrade.pet import Pet
from imagesmith.upgrade.relup import Relup
from imagesmith.upgrade.volume import MEMORY

__all__ = [
    "OldProcess",
    "check_old_processes",
    "check_pet",
    "check_relup",
    "check_upgrade",
    "old_processes",
    "touched",
]

Tell = Callable[[str], None]
ASK_AGAIN_SECONDS = 0.5
SHOWN = 5
ROOM = 16 << 20
"""Bytes beyond an upgrade's own that a volume should have left: RELEASES, logs, the next one."""


@dataclass(frozen=True, slots=True)
class OldProcess:
    """A process that still runs a module's old code: where it is, and what led there."""

    pid: str
    name: str
    module: str
    function: str
    frames: tuple[str, ...]

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        callers = [frame for frame in self.frames if frame != self.function][:2]
        inside = f", called by {', '.join(callers)}" if callers else ""
        return f"{self.pid}{name} runs old code of {self.module}: it is in {self.function}{inside}"


def check_pet(pet: Pet) -> None:
    """Whether its volume takes changes, and release_handler is there. Raises UpgradeError."""
    name, found, now = pet.name, pet.found, pet.running
    if not found.in_use or now.root != found.root:
        raise UpgradeError(
            f"{name}: it runs {found.version} from the image and is not upgradable: "
            + (
                f"no volume is mounted at {found.root}"
                if not found.mounted
                else f"the volume at {found.root} is not in use"
            ),
            hint=f"`docker logs {name}` has the reason at its beginning; start it with "
            f"`--mount type=volume,source=NAME,target={found.root}`.",
        )
    if not found.writable:
        raise UpgradeError(
            f"{name}: the volume at {found.root} cannot be written; nothing was changed",
            hint="It is mounted read-only, or owned by another user than the container runs as.",
        )
    if not now.sasl:
        raise UpgradeError(
            f"{name}: the node has no release_handler, as the release is without `sasl`",
            hint="Add sasl to the release's applications, and replace the container once.",
        )
    if pet.state.restart not in {"always", "unless-stopped"}:
        raise UpgradeError(
            f"{name}: its restart policy is `{pet.state.restart}`, and an upgrade that fails ends "
            "the VM, which Docker then would leave down; nothing was changed",
            hint=f"`docker update --restart unless-stopped {name}` changes it while it runs.",
        )
    if not found.tmpfs:
        raise UpgradeError(
            f"{name}: it has no tmpfs to resolve its configuration on, and secrets are written "
            "nowhere else; nothing was changed",
            hint="Start it with `--tmpfs /tmp`, as the README has it.",
        )


def check_upgrade(pet: Pet, facts: Facts) -> None:
    """Whether the bundle leads from what runs. Raises UpgradeError."""
    name, found, now = pet.name, pet.found, pet.running
    if found.name != facts.name:
        raise UpgradeError(
            f"{name}: it runs {found.name}, and the bundle is {facts.name}'s; nothing was changed"
        )
    other = now.running != now.permanent and now.running != facts.after
    if other:
        raise UpgradeError(
            f"{name}: {now.running} is installed and not confirmed, so {facts.after} cannot "
            "follow; nothing was changed",
            hint=f"`imagesmith confirm --container {name}` keeps it, `imagesmith rollback "
            f"--container {name}` takes it back.",
        )
    if now.permanent != facts.before:
        raise UpgradeError(
            f"{name}: it runs {now.permanent}, and the bundle leads from {facts.before} to "
            f"{facts.after}; nothing was changed",
            hint=f"`imagesmith build --mode pet --upgrade-from {now.permanent}'s release` makes "
            "one that does.",
        )
    if found.digest_of(now.permanent) != facts.before_digest:
        raise UpgradeError(
            f"{name}: it runs another build of {facts.before} than the bundle was made from "
            f"({_short(found.digest_of(now.permanent))}, not {_short(facts.before_digest)}); "
            "nothing was changed",
            hint="Make the bundle from the very release that runs: `--upgrade-from` takes the "
            "image's reference.",
        )
    if now.running == facts.after and found.digest_of(facts.after) != facts.after_digest:
        raise UpgradeError(
            f"{name}: another build of {facts.after} is installed; nothing was changed",
            hint=f"`imagesmith rollback --container {name}` takes it back first.",
        )
    if found.erts != facts.erts or found.root != facts.volume:
        raise UpgradeError(
            f"{name}: ERTS {found.erts} at {found.root}, and the bundle is for {facts.erts} at "
            f"{facts.volume}; nothing was changed",
            hint="Another ERTS or volume means another container: replace it.",
        )
    need = facts.size + ROOM
    if found.free < need:
        raise UpgradeError(
            f"{name}: the volume has {found.free >> 20} MiB left, and the upgrade wants "
            f"{need >> 20}; nothing was changed",
            hint="Give the volume's disk more room; `imagesmith status` shows what it holds.",
        )
    if not found.has_room(MEMORY):
        raise UpgradeError(
            f"{name}: it has {max(found.limit - found.usage, 0) >> 20} MiB of memory left below "
            f"its limit, and a second VM wants {MEMORY >> 20} for a moment; nothing was changed",
            hint=f"`docker update --memory … {name}` raises the limit while it runs.",
        )


def touched(*scripts: Iterable[Term]) -> list[str]:
    """The modules that instructions load, remove or purge: old code of these has to be gone.

    `{load | remove, {Module, …}}`, `{purge, [Module]}`, and `{apply, {code, load_file |
    soft_purge, [Module]}}` as consolidated protocols have it (OTP: relup(4)).
    """
    found: dict[str, None] = {}
    for script in scripts:
        for instruction in script:
            match instruction:
                case (Atom() as kind, (Atom() as module, _, _)) if kind in (LOAD, REMOVE):
                    found[str(module)] = None
                case (Atom() as kind, list() as modules) if kind == PURGE:
                    found.update({str(item): None for item in modules if isinstance(item, Atom)})
                case (_, (Atom() as where, Atom() as what, [Atom() as module])):
                    if where == CODE and what in (LOAD_FILE, SOFT_PURGE):
                        found[str(module)] = None
    return list(found)


LOAD, REMOVE, PURGE = Atom("load"), Atom("remove"), Atom("purge")
CODE, LOAD_FILE, SOFT_PURGE = Atom("code"), Atom("load_file"), Atom("soft_purge")


def check_relup(pet: Pet, relup: Relup) -> None:
    """Whether both directions are there, and none restarts the VM. Raises UpgradeError."""
    restarts = (Atom("restart_new_emulator"), Atom("restart_emulator"))
    for instruction in (*relup.up, *relup.down):
        if isinstance(instruction, Atom) and instruction in restarts:
            raise UpgradeError(
                f"{pet.name}: the relup restarts the VM ({instruction}): that is no hot upgrade; "
                "nothing was changed",
                hint="Replace the container with one of the new image.",
            )


def check_old_processes(
    node: Node, modules: list[str], *, drain: float, tell: Tell, wrong: str
) -> None:
    """Wait up to `drain` seconds until no process runs old code of the modules.

    Raises UpgradeError that names the processes; `wrong` says what cannot be done.
    """
    deadline = time.monotonic() + drain
    told = False
    while processes := old_processes(node, modules):
        if time.monotonic() >= deadline:
            shown = [str(process) for process in processes[:SHOWN]]
            if len(processes) > SHOWN:
                shown.append(f"and {len(processes) - SHOWN} more")
            raise UpgradeError(
                f"{node.container.name}: {wrong}: {len(processes)} processes still run code of "
                "two versions ago, and loading a third would kill them; nothing was changed\n  "
                + "\n  ".join(shown),
                hint="A process leaves old code when it is called the next time. Wait longer "
                "(`--drain 60`), or end these processes.",
            )
        if not told:
            tell(f"waiting up to {drain:g} s for {len(processes)} processes to leave old code")
            told = True
        time.sleep(ASK_AGAIN_SECONDS)


def old_processes(node: Node, modules: list[str]) -> list[OldProcess]:
    """The processes that run old code of one of the modules, each once. Raises UpgradeError."""
    answer = node.ask("old", {"modules": [Atom(module) for module in modules]})
    found: dict[tuple[str, str], OldProcess] = {}
    for item in answer if isinstance(answer, list) else []:
        match item:
            case (pid, name, module, function, frames):
                process = OldProcess(
                    string(pid),
                    string(name),
                    string(module).removeprefix("Elixir."),
                    string(function),
                    tuple(map(string, frames)) if isinstance(frames, list) else (),
                )
                found[process.pid, process.module] = process
    by_pid: dict[str, list[OldProcess]] = defaultdict(list)
    for process in found.values():
        by_pid[process.pid].append(process)
    return [processes[0] for processes in by_pid.values()]


def _short(digest: str) -> str:
    return digest[:12] or "an unknown one"
