"""The lock of a volume: who upgrades a pet just now, and what becomes of it if they are killed.

The command may be gone, and what it has begun in the container not: `docker exec` goes on without
it. Nothing is read or changed before that has ended.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imagesmith.docker.process import VARIABLE, Process
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.pet import Pet, look
from imagesmith.upgrade.volume import Volume, VolumeState, now, who

__all__ = ["is_abandoned", "locked", "look_alone"]

REMAINS_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Owner:
    """What the lock says of who holds it."""

    who: str
    time: str
    process: Process

    @classmethod
    def of(cls, text: str) -> _Owner:
        """Of the lock's words; whoever took it may have had no time to write them."""
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            found = {}
        pid = found.get("pid")
        return cls(
            str(found.get("who", "somebody")),
            str(found.get("time", "an unknown time")),
            Process(
                str(found.get("host", "?")),
                pid if isinstance(pid, int) else 0,
                str(found.get("started", "")),
            ),
        )

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this machine that is no more."""
        return self.process.is_here and not self.process.lives()


def is_abandoned(found: VolumeState) -> bool:
    """Whether a command of this machine held the lock when it was killed."""
    return found.lock is not None and _Owner.of(found.lock).is_gone


def look_alone(lines: Lines, tell: Callable[[str], None], *, force: bool) -> Pet:
    """Read a pet once nothing runs in it that a killed command had begun; nothing is changed.

    Raises DockerError, and UpgradeError if that does not end in time; with `force` it is left.
    """
    pet = look(lines)
    if pet.found.lock is None:
        return pet
    owner = _Owner.of(pet.found.lock)
    if not owner.is_gone and not force:
        return pet
    deadline = time.monotonic() + REMAINS_SECONDS
    told = False
    while remains := _remains(lines, owner.process):
        if not told:
            tell(f"waiting for what a killed command of {owner.who} had begun in {pet.name}")
            told = True
        if time.monotonic() > deadline:
            if force:
                break
            raise UpgradeError(
                f"{pet.name}: a command of {owner.who} was killed, and what it began at "
                f"{owner.time} still runs in the container (process {', '.join(remains)}); nothing "
                "was changed",
                hint="Wait for it, or end it in the container; `--force` goes on beside it.",
            )
        time.sleep(0.2)
    return look(lines)


def _remains(lines: Lines, process: Process) -> list[str]:
    """The processes in a container that another one has begun there."""
    mark = shlex.quote(f"{VARIABLE}={process}")
    # Word by word, as busybox's grep ends a line at its first NUL.
    done = lines.sh(
        "for found in /proc/[0-9]*; do "
        f"{{ tr '\\0' '\\n' <$found/environ | grep -qxF {mark}; }} 2>/dev/null && "
        'echo "${found#/proc/}"; done',
    )
    return done.text.split()


@contextmanager
def locked(volume: Volume, found: VolumeState, *, force: bool) -> Iterator[None]:
    """Hold the lock, and be sure that `found` is still true.

    It is taken over from an owner that has gone: from this machine's, whose process is no more;
    from another machine's with `force`. Raises UpgradeError.
    """
    name = volume.container.name
    if found.lock is not None:
        _refuse_live(name, _Owner.of(found.lock), force=force)
    process = Process.this()
    owner = {"who": who(), "host": process.host, "pid": process.pid, "started": process.started}
    text = shlex.quote(json.dumps({**owner, "time": now()}))
    write = f"printf '%s\\n' {text} >lock/owner.new && mv -f lock/owner.new lock/owner"
    if found.lock is None:
        take = f"mkdir lock && {{ {write} || {{ rm -rf lock; false; }}; }}"
    else:
        # Of two that find the same lock left, one takes it over.
        last = hashlib.sha256(found.lock.encode()).hexdigest()[:12]
        take = f"mkdir {'-p ' if force else ''}lock/after-{last} && {write}"
    count = "{ wc -c <history || echo 0; } 2>/dev/null"
    done = volume.sh(f"cd {volume.marks} && {take} && {count}")
    if done.code != 0:
        raise UpgradeError(
            f"{name}: another upgrade has just begun; nothing was changed",
            hint="`imagesmith status` shows what it does.",
        )
    try:
        if int(done.text or 0) != found.events:
            raise UpgradeError(
                f"{name}: another upgrade has just ended; nothing was changed",
                hint="`imagesmith status` shows what it did.",
            )
        volume.heal()
        yield
    finally:
        volume.sh(f"rm -rf {volume.marks}/lock")


def _refuse_live(name: str, owner: _Owner, *, force: bool) -> None:
    here = owner.process.is_here
    if owner.is_gone or (force and not here):
        return
    raise UpgradeError(
        f"{name}: an upgrade by {owner.who} on {owner.process.host} (process {owner.process.pid}) "
        f"has held the volume since {owner.time}; nothing was changed",
        hint="Wait for it"
        + (", or end that process." if here else "; if it is gone, take the lock over: `--force`."),
    )
