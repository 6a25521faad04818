"""The way back: down the relup, with the old version's configuration; or by a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagesmith.beam.term import Atom, Term, text
from imagesmith.beam.terms import consult
from imagesmith.errors import DockerError, TermError, UpgradeError
from imagesmith.upgrade.checks import Tell, check_old_processes, check_pet, touched
from imagesmith.upgrade.history import read_history
from imagesmith.upgrade.install import Installed, install, make_permanent, resolve, verify
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.lock import locked, look_alone
from imagesmith.upgrade.pet import Ended, Pet, standing, wait_for_node
from imagesmith.upgrade.relup import Relup, parse_relup
from imagesmith.upgrade.volume import Secrets, Volume

__all__ = ["Back", "Way", "go_back", "rollback"]


@dataclass(frozen=True, slots=True)
class Way:
    """From a running version to another, whose configurations are resolved, by a relup's script."""

    pet: Pet
    volume: Volume
    secrets: Secrets
    before: str
    after: str
    script: Sequence[Term]


@dataclass(frozen=True, slots=True)
class Back:
    """What a rollback did; `installed` is None where the VM was restarted, and lost its state."""

    container: str
    before: str
    after: str
    installed: Installed | None


def go_down(way: Way, libs: Sequence[str], drain: float, tell: Tell) -> Installed:
    """Down the relup without a restart. Raises UpgradeError; what it says tells what is true."""
    pet = way.pet
    check_old_processes(
        pet.node,
        touched(way.script),
        drain=drain,
        tell=tell,
        wrong=f"{way.after} cannot be put back without a restart",
    )
    installed = install(pet, way.volume, way.secrets, before=way.before, after=way.after, tell=tell)
    wrong = [*installed.wrong, *verify(pet, way.secrets, way.after, libs)]
    if wrong:
        raise UpgradeError(f"{pet.name}: after the way back to {way.after}: {'; '.join(wrong[:8])}")
    return installed


def go_back(way: Way, libs: Sequence[str], drain: float, tell: Tell) -> Installed | None:
    """From a version that is not confirmed to the permanent one; None if by a restart.

    Where the VM has ended meanwhile, Docker has begun that restart.
    """
    pet = way.pet
    if not pet.has_ended():
        try:
            return go_down(way, libs, drain, tell)
        except (UpgradeError, DockerError) as error:
            tell(error.message)
    if pet.has_ended():
        tell(f"the VM of {pet.name} has ended, and boots {way.after}")
        wait_for_node(pet, ended=True)
    else:
        tell(f"restarting {pet.name}, which boots {way.after}")
        pet.container.restart()
        wait_for_node(pet)
    return None


def rollback(lines: Lines, *, drain: float, force: bool, tell: Tell) -> Back:
    """Back to the version before: to the permanent one, or, if that runs, to its predecessor.

    `force` crosses hooks that were run on the way up, and allows a restart where processes that
    still run old code refuse anything else. Raises UpgradeError.
    """
    pet = look_alone(lines, tell, force=force)
    check_pet(pet)
    before = pet.running.running
    relup = _relup(pet, before)
    after = relup.before
    if before != pet.running.permanent and after != pet.running.permanent:
        raise UpgradeError(
            f"{pet.name}: {before} leads back to {after}, but permanent is "
            f"{pet.running.permanent}; nothing was changed"
        )
    if after not in pet.running.releases or after not in pet.found.releases:
        raise UpgradeError(
            f"{pet.name}: {after} is not on the volume any more; nothing was changed"
        )
    _check_hooks(pet, before, after, force=force)
    volume = pet.volume()
    with locked(volume, pet.found, force=force), volume.secrets(pet.found.tmpfs) as secrets:
        way = Way(pet, volume, secrets, before, after, relup.down)
        try:
            resolve(pet, secrets, [before, after])
            installed: Installed | None = go_down(way, _libs(pet, before, after), drain, tell)
        except (UpgradeError, DockerError) as error:
            wait_for_node(pet, ended=isinstance(error, Ended))
            if not force:
                volume.record("rollback", before, after, "failed", error.message)
                raise UpgradeError(
                    f"{error.message}. {standing(pet.lines)}",
                    hint=f"{error.hint or ''} `--force` restarts the VM at {after} instead, and "
                    "loses its state.".strip(),
                ) from None
            tell(f"{error.message}; restarting at {after}")
            installed = None
            _restart_at(pet, after)
        if installed is not None and pet.running.permanent != after:
            make_permanent(pet, volume, after)
            tell(f"{after} is permanent")
        result = "rolled back" if installed else "restarted"
        volume.record("rollback", before, after, result, "")
    return Back(pet.name, before, after, installed)


def _restart_at(pet: Pet, version: str) -> None:
    """Boot `version`: the entrypoint takes start_erl.data at its word, and repairs the rest."""
    if pet.found.start != version:
        pet.volume().must(
            f"cd {pet.found.root}/releases && printf '%s' '{pet.found.erts} {version}' >.start && "
            "sync && mv -f .start start_erl.data && sync",
            "cannot be written",
        )
    pet.container.restart()
    wait_for_node(pet)


def _relup(pet: Pet, version: str) -> Relup:
    place = f"releases/{version}/relup"
    answer = pet.lines.sh('cat "$1"', f"{pet.found.root}/{place}")
    if answer.code != 0:
        raise UpgradeError(
            f"{pet.name}: {version} came with the image, and nothing leads back from it; nothing "
            "was changed"
        )
    return parse_relup(answer.out, place)


def _check_hooks(pet: Pet, before: str, after: str, *, force: bool) -> None:
    ran = [
        event.hooks
        for event in read_history(pet.volume())
        if (event.before, event.after) == (after, before) and event.hooks
    ]
    if ran and not force:
        raise UpgradeError(
            f"{pet.name}: on the way to {before} {ran[-1]} was run, and {after} may not be "
            "able to live with what it did; nothing was changed",
            hint="`--force` rolls back the code; it does not undo the command.",
        )


def _libs(pet: Pet, before: str, after: str) -> list[str]:
    """The folders of the applications that a rollback changes, as `after` has them."""
    old, new = (_applications(pet, version) for version in (before, after))
    return [f"{name}-{version}" for name, version in new.items() if old.get(name) != version]


def _applications(pet: Pet, version: str) -> dict[str, str]:
    """Of a version's .rel: `{release, {Name, Vsn}, {erts, Vsn}, [{App, Vsn, …}]}` (OTP: rel(4))."""
    place = f"{pet.found.root}/releases/{version}/{pet.found.name}.rel"
    answer = pet.lines.sh('cat "$1"', place)
    try:
        match consult(answer.out):
            case [(_, _, _, list() as applications)]:
                return {
                    str(item[0]): text(item[1])
                    for item in applications
                    if isinstance(item, tuple) and isinstance(item[0], Atom)
                }
    except TermError:
        pass
    raise UpgradeError(f"{pet.name}: the .rel of {version} on the volume cannot be read")
