"""Hooks: the recipe's commands around an upgrade, such as migrations, run in the container.

They run with the new version's code: its files are on the volume by then, and RELEASE_VSN makes
the release's own scripts start it.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagesmith.docker.container import Container
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.checks import Tell

__all__ = ["run_hooks"]

HOOK_SECONDS = 3600.0


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
