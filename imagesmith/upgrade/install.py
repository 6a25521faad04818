"""One step from a version to another in a running node: configuration, code, and the proof.

The same road leads up and down. What is not known to be right afterwards is not right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from imagesmith.beam.term import Atom, Map, Term
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.node import INSTALL_SECONDS, string
from imagesmith.upgrade.pet import Ended, Pet, standing, wait_for_node
from imagesmith.upgrade.volume import MEMORY, Secrets, Volume

__all__ = ["Installed", "Refused", "install", "make_permanent", "resolve", "verify"]

Tell = Callable[[str], None]


class Refused(UpgradeError):
    """release_handler refused: code and environment are as they were."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation took.

    `seconds` is the time of `release_handler:install_release`. `pauses` has for each suspended
    process the seconds from release_handler's call of sys:suspend to that of sys:resume, so the
    waiting until it was suspended is in them; None where call tracing was not to be had. `missed`
    are processes that did not answer sys:suspend in time: they have the old version's state.
    """

    seconds: float
    pauses: tuple[float, ...] | None
    missed: tuple[str, ...] = ()

    @property
    def wrong(self) -> list[str]:
        """What is not as it should be, in words."""
        return [f"{process} did not answer sys:suspend in time" for process in self.missed]

    @property
    def longest(self) -> float:
        """The longest pause in seconds."""
        return max(self.pauses or (0.0,))


def resolve(pet: Pet, secrets: Secrets, versions: Sequence[str]) -> None:
    """Resolve the configuration of versions whose files are there, each with its own code.

    At the same time, if the container's memory has room for their VMs, else one after the other and
    without the line that is open. Raises UpgradeError, in the words of the application's own
    configuration if that fails; if several do, in those of the first.
    """
    at_once = len(versions)
    if not pet.found.has_room(MEMORY * (at_once + 1)):
        at_once = 1
        pet.lines.close()
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(partial(_resolve, pet, secrets), versions):
            pass


def _resolve(pet: Pet, secrets: Secrets, version: str) -> None:
    answer = pet.node.ask_new(
        "resolve",
        {
            "root": pet.found.root,
            "version": version,
            "to": secrets.config(version),
        },
        version=version,
        root=pet.found.root,
    )
    match answer:
        case (_, list() as bad):
            raise UpgradeError(
                f"{pet.name}: the configuration of {version} holds what cannot be written to a "
                f"file, such as a fun or a process: {', '.join(map(_pair, bad))}",
                hint="Write `&Module.function/1`, or a tuple of module and function.",
            )


def install(
    pet: Pet, volume: Volume, secrets: Secrets, *, before: str, after: str, tell: Tell
) -> Installed:
    """Let release_handler take the node from `before` to `after`; both are resolved.

    Raises Refused if it would not, with everything as it was; Ended if the VM ends over it;
    UpgradeError if the node was lost.
    """
    root = pet.found.root
    volume.link_config(after, secrets)
    try:
        answer = pet.node.ask(
            "install",
            {
                "version": after,
                "from": before,
                "root": root,
                "before": secrets.config(before),
                "after": secrets.config(after),
            },
            seconds=INSTALL_SECONDS,
        )
    finally:
        volume.put_back(after)
    if not isinstance(answer, Map):
        raise UpgradeError(f"{pet.name}: install_release answered nothing that makes sense")
    match answer.get(Atom("answer")):
        case (Atom() as kind, bytes(reason)) if kind == Atom("ending"):
            raise Ended(f"{pet.name}: {after}: {reason.decode(errors='replace')}")
        case (_, bytes(reason)):
            raise Refused(
                f"{pet.name}: release_handler refused {after}: {reason.decode(errors='replace')}",
                hint="Code and environment are as they were.",
            )
    took = answer.get(Atom("microseconds"))
    pauses: tuple[float, ...] | None = None
    missed: tuple[str, ...] = ()
    match answer.get(Atom("pauses")):
        case (list() | str() as found, list() as left):
            pauses = tuple(item / 1e6 for item in _numbers(found))
            missed = tuple(map(string, left))
    tell(f"{after} is installed, after {isinstance(took, int) and took / 1000:.0f} ms")
    return Installed(took / 1e6 if isinstance(took, int) else 0.0, pauses, missed)


def verify(pet: Pet, secrets: Secrets, version: str, libs: Sequence[str]) -> list[str]:
    """What of the running node is not `version`'s: environment, code, protocols. Names only."""
    answer = pet.node.ask(
        "verify",
        {
            "version": version,
            "root": pet.found.root,
            "config": secrets.config(version),
            "libs": [f"{pet.found.root}/lib/{lib}" for lib in libs],
        },
    )
    wrong = []
    for item in answer if isinstance(answer, list) else []:
        match item:
            case (kind, what):
                wrong.append(WORDS[string(kind)].format(_pair(what)))
    return wrong


def make_permanent(pet: Pet, volume: Volume, version: str) -> None:
    """Let every later start boot a version. Raises UpgradeError."""
    try:
        answer = pet.node.ask("confirm", {"version": version, "root": pet.found.root})
    except UpgradeError as error:
        wait_for_node(pet, ended=pet.has_ended())
        raise UpgradeError(
            f"{error.message}; so it is unknown whether {version} was made permanent in time. "
            f"{standing(pet.lines)}",
            hint="The same upgrade can be applied again.",
        ) from None
    match answer:
        case (_, bytes(reason)):
            raise UpgradeError(
                f"{pet.name}: {version} could not be made permanent: "
                f"{reason.decode(errors='replace')}. {standing(pet.lines)}",
                hint=f"`imagesmith confirm --container {pet.name}` tries again.",
            )
    # OTP writes start_erl.data in place and syncs nothing (OTP: release_handler.erl, write_start).
    volume.sh("sync")


def _numbers(found: list[Term] | str) -> list[int]:
    """A list of small numbers comes as text."""
    if isinstance(found, str):
        return [ord(item) for item in found]
    return [item for item in found if isinstance(item, int)]


WORDS = {
    "environment": "{} is not what the configuration says",
    "version": "application {} has another version",
    "code": "module {} is not the new one",
    "protocol": "the consolidated protocol {} is not the new one",
    "missing": "module {} is not loaded: the appup does not name it",
}


def _pair(term: Term) -> str:
    match term:
        case (first, second):
            return f"{string(first)} {string(second)}"
    return string(term)
