"""Hooks: the recipe's commands around an upgrade, such as migrations, run in the container.

They run with the new version's code: its files are on the volume by then, and RELEASE_VSN makes
the release's own scripts start it.

Those that follow an upgrade are on record before it is permanent, as owed: whatever cuts the
command short, the same one given again runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from imagesmith.docker.container import Container
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.checks import Tell
from imagesmith.upgrade.history import RAN, read_history
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.volume import Volume, read_volume

__all__ = ["owe_hooks", "pay_hooks", "run_hooks"]

HOOK_SECONDS = 3600.0

FOLLOWING = "after"
"""The action, in the history, of hooks that follow an upgrade; and what can come of it."""
OWED, BEGUN, DONE = "owed", "begun", "done"


def run_hooks(
    container: Container, version: str, hooks: Sequence[Sequence[str]], tell: Tell
) -> list[str]:
    """Run the commands one after the other; answers them as text.

    Raises UpgradeError at the first that fails, with its own last words.
    """
    ran: list[str] = []
    for hook in hooks:
        words = " ".join(hook)
        tell(f"running {words}")
        answer = container.run(*hook, env={"RELEASE_VSN": version}, seconds=HOOK_SECONDS)
        if answer.code != 0:
            said = f"{answer.text}\n{answer.said}".strip().splitlines()[-5:]
            before = f"; {', '.join(ran)} had run before, and stays done" if ran else ""
            raise UpgradeError(
                "\n  ".join(
                    [
                        f"{container.name}: {words} failed with exit code {answer.code}{before}",
                        *said,
                    ]
                )
            )
        ran.append(words)
    return ran


def owe_hooks(volume: Volume, before: str, after: str, hooks: Sequence[Sequence[str]]) -> None:
    """Put on record that they follow, once `after` is permanent."""
    volume.record(FOLLOWING, before, after, OWED, _words(hooks))


def pay_hooks(
    containers: Sequence[Container], version: str, hooks: Sequence[Sequence[str]], tell: Tell
) -> None:
    """Run what one of the containers owes, in the last one, once for all. Raises UpgradeError."""
    with ExitStack() as opened:
        owing = []
        for container in containers:
            lines = opened.enter_context(Lines(container))
            volume = Volume(lines, read_volume(lines).root)
            if (before := _owed_from(volume, version)) is not None:
                owing.append((volume, before))
        if not owing:
            return
        ran = f"{RAN}{_words(hooks)}"
        for volume, before in owing:
            volume.record(FOLLOWING, before, version, BEGUN, ran)
        run_hooks(containers[-1], version, hooks, tell)
        for volume, before in owing:
            volume.record(FOLLOWING, before, version, DONE, ran)


def _owed_from(volume: Volume, version: str) -> str | None:
    """The version before it, where hooks that follow are still owed."""
    found = [event for event in read_history(volume) if event.action == FOLLOWING]
    if not found or found[-1].after != version or found[-1].result == DONE:
        return None
    return found[-1].before


def _words(hooks: Sequence[Sequence[str]]) -> str:
    return ", ".join(" ".join(hook) for hook in hooks)
