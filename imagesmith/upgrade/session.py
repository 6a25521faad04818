"""An upgrade of one container from its beginning to its end, and the way back.

Before `install`, a failure leaves everything as it was. After it, the way back is the same road
down; where that is refused, the container is restarted, and boots its permanent version.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesmith.errors import DockerError, UpgradeError
from imagesmith.upgrade.back import Way, go_back
from imagesmith.upgrade.bundle import Bundle, volume_tar
from imagesmith.upgrade.checks import (
    Tell,
    check_old_processes,
    check_pet,
    check_relup,
    check_upgrade,
    old_processes,
    touched,
)
from imagesmith.upgrade.ends import outlasting
from imagesmith.upgrade.facts import Facts
from imagesmith.upgrade.history import RAN, read_history
from imagesmith.upgrade.hooks import owe_hooks, run_hooks
from imagesmith.upgrade.install import (
    Installed,
    Refused,
    install,
    make_permanent,
    resolve,
    verify,
)
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.lock import is_abandoned, locked, look_alone
from imagesmith.upgrade.pet import Ended, Pet, standing, wait_for_node
from imagesmith.upgrade.relup import Relup
from imagesmith.upgrade.volume import Secrets, Volume
from imagesmith.upgrade.watch import Trees, read_trees, watch

if TYPE_CHECKING:
    from imagesmith.recipe import Probe

__all__ = ["Options", "Summary", "confirm", "upgrade"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to upgrade: seconds to watch and to wait for old processes, whether to confirm.

    `before` and `after` are the recipe's hooks, each a command.
    """

    watch: float = 30.0
    drain: float = 10.0
    confirm: bool = True
    force: bool = False
    probe: Probe | None = None
    before: Sequence[Sequence[str]] = ()
    after: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What was done to one container. `nothing` if it was there already."""

    container: str
    before: str
    after: str
    confirmed: bool
    modules: int
    installed: Installed | None
    bytes: int
    image: str

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do."""
        return self.installed is None and not self.modules


def upgrade(
    lines: Lines, bundle: Bundle, options: Options, hooks: list[str], tell: Tell
) -> Summary:
    """Upgrade one container. Raises UpgradeError, which says in which state things are.

    `hooks` are the commands that ran for this upgrade already; those that run here are added.
    """
    facts, relup = bundle.facts, bundle.relup
    pet = look_alone(lines, tell, force=options.force)
    if _is_there(pet, facts):
        return _there(pet, facts, relup, options, tell)
    check_pet(pet)
    check_upgrade(pet, facts)
    check_relup(pet, relup)
    volume = pet.volume()
    with (
        locked(volume, pet.found, force=options.force),
        volume.secrets(pet.found.tmpfs) as secrets,
    ):
        work = _Work(pet, volume, secrets, facts, relup, options, hooks, tell)
        if pet.running.running == facts.after:
            tell(f"{facts.after} is installed already, and not confirmed: going on from there")
            resolve(pet, secrets, [facts.before, facts.after])
            trees, installed = read_trees(pet.node), None
        else:
            trees = outlasting(read_trees(pet.node), relup.up)
            installed = work.install(bundle)
        work.prove(trees, installed.wrong if installed else [])
        volume.discard()
        if options.confirm:
            work.confirm()
        volume.record(
            "upgrade",
            facts.before,
            facts.after,
            "confirmed" if options.confirm else "installed",
            f"{RAN}{', '.join(hooks)}" if hooks else "",
        )
    return Summary(
        pet.name,
        facts.before,
        facts.after,
        options.confirm,
        len(touched(relup.up)),
        installed,
        facts.size,
        facts.image,
    )


def confirm(lines: Lines, tell: Tell, *, force: bool) -> str:
    """Make what runs permanent; answers the version. Raises UpgradeError."""
    pet = look_alone(lines, tell, force=force)
    check_pet(pet)
    version = pet.running.running
    if version == pet.running.permanent:
        tell(f"{pet.name}: {version} is permanent already")
        return version
    volume = pet.volume()
    with locked(volume, pet.found, force=force):
        make_permanent(pet, volume, version)
        volume.record("confirm", pet.running.permanent, version, "confirmed", "")
    tell(f"{pet.name}: {version} is permanent")
    return version


def _there(pet: Pet, facts: Facts, relup: Relup, options: Options, tell: Tell) -> Summary:
    """Nothing is to be done, but what a command that was killed after it confirmed has left."""
    if not is_abandoned(pet.found):
        return Summary(pet.name, facts.before, facts.after, True, 0, None, 0, facts.image)
    volume = pet.volume()
    with locked(volume, pet.found, force=options.force), volume.secrets(pet.found.tmpfs):
        tell(f"{facts.after} is permanent already, by a command that was killed after it")
        volume.discard()
        last = read_history(volume)[-1:]
        if not last or (last[0].after, last[0].result) != (facts.after, "confirmed"):
            volume.record("upgrade", facts.before, facts.after, "confirmed", "")
    modules = len(touched(relup.up))
    return Summary(
        pet.name, facts.before, facts.after, True, modules, None, facts.size, facts.image
    )


def _is_there(pet: Pet, facts: Facts) -> bool:
    now = pet.running
    return (
        now.running == now.permanent == facts.after
        and pet.found.name == facts.name
        and pet.found.digest_of(facts.after) == facts.after_digest
    )


class _Work:
    """The steps of one upgrade."""

    def __init__(
        self,
        pet: Pet,
        volume: Volume,
        secrets: Secrets,
        facts: Facts,
        relup: Relup,
        options: Options,
        hooks: list[str],
        tell: Tell,
    ) -> None:
        self.pet, self.volume, self.secrets = pet, volume, secrets
        self.facts, self.relup = facts, relup
        self.options, self.tell = options, tell
        self.hooks = hooks

    def install(self, bundle: Bundle) -> Installed:
        """Bring the files and install; whatever fails leaves the old version running."""
        pet, facts = self.pet, self.facts
        check_old_processes(
            pet.node,
            touched(self.relup.up, self.relup.down),
            drain=self.options.drain,
            tell=self.tell,
            wrong=f"{facts.after} cannot be installed now",
        )
        self._prepare(bundle)
        try:
            return install(
                pet,
                self.volume,
                self.secrets,
                before=facts.before,
                after=facts.after,
                tell=self.tell,
            )
        except Refused as error:
            self._undo()
            self._failed("refused", error.message)
            raise UpgradeError(f"{error.message}. {standing(pet.lines)}", hint=error.hint) from None
        except (UpgradeError, DockerError) as error:
            self.tell(error.message)
            wait_for_node(pet, ended=isinstance(error, Ended))
            reason = pet.words_of_release_handler() or error.message
            self._failed("failed", reason)
            restarted = pet.container.state().started != pet.state.started
            lost = "the VM ended and was restarted, without its state" if restarted else "it failed"
            raise UpgradeError(
                f"{pet.name}: {facts.after} could not be installed: {lost}: {reason}. "
                f"{standing(pet.lines)}",
                hint=f"`docker logs {pet.name}` has the node's own words.",
            ) from None

    def _prepare(self, bundle: Bundle) -> None:
        """Files, configuration, hooks; what was brought is taken away if one fails."""
        pet, facts = self.pet, self.facts
        try:
            self.volume.bring(volume_tar(bundle))
            self.tell(f"the files of {facts.after} are on the volume ({facts.size:,} bytes)")
            resolve(pet, self.secrets, [facts.before, facts.after])
            self.tell("its configuration is resolved")
            if not self.hooks:
                self._run_hooks()
            self.volume.keep_releases()
            self._unpacked()
        except (UpgradeError, DockerError) as error:
            why = self._explained(error)
            self._undo()
            self._failed("failed", why.message)
            raise UpgradeError(f"{why.message}. {standing(pet.lines)}", hint=why.hint) from None

    def _explained(self, error: UpgradeError | DockerError) -> UpgradeError:
        """The error, or, where the VM has ended under it, that; then the node answers again."""
        pet = self.pet
        with suppress(UpgradeError, DockerError):
            if pet.has_ended():
                wait_for_node(pet, ended=True)
                return UpgradeError(
                    f"{pet.name}: its VM ended, and was started again ({error.message})",
                    hint=f"`docker logs {pet.name}` may have its last words.",
                )
        return UpgradeError(error.message, hint=error.hint)

    def _run_hooks(self) -> None:
        """What they do stays done, so it is on record before anything can cut them short."""
        if hooks := self.options.before:
            facts = self.facts
            words = ", ".join(" ".join(hook) for hook in hooks)
            self.volume.record("hooks", facts.before, facts.after, "begun", f"{RAN}{words}")
            self.hooks += run_hooks(self.pet.container, facts.after, hooks, self.tell)

    def _undo(self) -> None:
        """Leave the volume as it was, unless an earlier upgrade had brought this version."""
        facts = self.facts
        if facts.after not in self.pet.found.releases:
            with suppress(UpgradeError, DockerError):  # it is forgotten at the next start too
                self.pet.node.ask("removed", {"version": facts.after})
            self.volume.take_away(facts.after, self._libs(facts.after))
        self.volume.discard()

    def prove(self, trees: Trees, wrong: Sequence[str]) -> None:
        """Verify and watch; go back if something is wrong, or was already."""
        pet, facts = self.pet, self.facts
        try:
            wrong = [*wrong, *verify(pet, self.secrets, facts.after, self._libs(facts.after))]
            if not wrong:
                self.tell("environment, modules and protocols are those of the new version")
                self._tell_of_old_code()
                wrong = watch(pet, trees, self.options.probe, self.options.watch, self.tell)
        except (UpgradeError, DockerError) as error:
            wrong = [error.message]
        if wrong:
            self._go_back(wrong)

    def confirm(self) -> None:
        """Let every later start boot the new version."""
        facts = self.facts
        try:
            if self.options.after:
                owe_hooks(self.volume, facts.before, facts.after, self.options.after)
            make_permanent(self.pet, self.volume, self.facts.after)
        except (UpgradeError, DockerError) as error:
            self._failed("failed", error.message)
            raise
        self.tell(f"{self.facts.after} is permanent")

    def _tell_of_old_code(self) -> None:
        """Idle processes keep the old version's code until they are called again."""
        kept = old_processes(self.pet.node, touched(self.relup.down))
        if kept:
            self.tell(
                f"{len(kept)} processes still run {self.facts.before}'s code, until they are "
                f"called; a way back before that wants a restart: {kept[0].pid} {kept[0].name} "
                f"in {kept[0].function}"
            )

    def _libs(self, version: str) -> list[str]:
        """The folders of the changed applications as a version has them."""
        found = [
            (item.name, item.after if version == self.facts.after else item.before)
            for item in self.facts.changes
        ]
        return [f"{name}-{vsn}" for name, vsn in found if vsn]

    def _unpacked(self) -> None:
        facts, root = self.facts, self.pet.found.root
        file = f"{root}/releases/{facts.after}/{facts.name}.rel"
        match self.pet.node.ask("unpacked", {"version": facts.after, "file": file}):
            case (_, bytes(reason)):
                raise UpgradeError(
                    f"{self.pet.name}: release_handler does not take {facts.after}: "
                    f"{reason.decode(errors='replace')}. {standing(self.pet.lines)}"
                )

    def _go_back(self, wrong: Sequence[str]) -> None:
        """Down the relup, or by a restart. Always raises UpgradeError."""
        pet, facts = self.pet, self.facts
        reason = "; ".join(wrong[:8])
        self.tell(f"{facts.after} is not well: {reason}; going back")
        back = Way(pet, self.volume, self.secrets, facts.after, facts.before, self.relup.down)
        hot = go_back(back, self._libs(facts.before), self.options.drain, self.tell)
        self._failed("rolled back", reason)
        lost = "" if hot else " The VM was restarted, and its state and connections are gone."
        ran = f" {', '.join(self.hooks)} had run before, and stays done." if self.hooks else ""
        raise UpgradeError(
            f"{pet.name}: {facts.after} was installed and taken back: {reason}. "
            f"{standing(pet.lines)}.{lost}{ran}",
            hint="The same upgrade can be applied again once the cause is gone.",
        )

    def _failed(self, result: str, detail: str) -> None:
        self.volume.record("upgrade", self.facts.before, self.facts.after, result, detail)
