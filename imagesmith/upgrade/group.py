"""Several containers, one after the other, up to the first that fails; hooks run once for all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from imagesmith.docker.container import Container
from imagesmith.errors import DockerError, UpgradeError
from imagesmith.upgrade.bundle import Bundle
from imagesmith.upgrade.checks import Tell
from imagesmith.upgrade.hooks import pay_hooks
from imagesmith.upgrade.lines import Lines
from imagesmith.upgrade.session import Options, Summary, upgrade

__all__ = ["upgrade_group"]


def upgrade_group(
    containers: Sequence[Container], bundle: Bundle, options: Options, tell: Tell
) -> list[Summary]:
    """Upgrade them. Raises UpgradeError, which also says which were done and which were not."""
    done: list[Summary] = []
    hooks: list[str] = []
    for container in containers:
        one = partial(_prefixed, tell, container.name) if len(containers) > 1 else tell
        try:
            with Lines(container) as lines:
                summary = upgrade(lines, bundle, options, hooks, one)
        except (UpgradeError, DockerError) as error:
            raise _with_others(error, containers, done) from None
        done.append(summary)
    if options.confirm and options.after:
        pay_hooks(containers, bundle.facts.after, options.after, tell)
    return done


def _prefixed(tell: Tell, name: str, text: str) -> None:
    tell(f"{name}: {text}")


def _with_others(
    error: UpgradeError | DockerError, containers: Sequence[Container], done: Sequence[Summary]
) -> UpgradeError:
    if len(containers) == 1:
        return UpgradeError(error.message, hint=error.hint)
    upgraded = ", ".join(summary.container for summary in done) or "none"
    left = ", ".join(container.name for container in containers[len(done) + 1 :]) or "none"
    return UpgradeError(
        f"{error.message}\n  upgraded before it: {upgraded}; not tried: {left}", hint=error.hint
    )
