"""`imagesmith rollback`."""

from __future__ import annotations

import json
from typing import Annotated

from imagesmith.cli.command import Option
from imagesmith.cli.pets import ComposeService, ContainerNames, Drain, Labels

__all__ = ["rollback"]


def rollback(
    container: ContainerNames = None,
    compose_service: ComposeService = None,
    label: Labels = None,
    drain: Drain = 10,
    force: Annotated[
        bool,
        Option(
            "--force",
            help="Go back across hooks that were run, and by a restart (losing state) where it "
            "cannot be done hot. Also takes over the lock of a machine that is gone.",
        ),
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take the running version back: to the permanent one, or from that to the one before.

    Examples:
      imagesmith rollback --container shop
    """
    from imagesmith.cli.pets import find_pets, say
    from imagesmith.upgrade.back import rollback as go
    from imagesmith.upgrade.lines import Lines

    done = []
    for found in find_pets(container, compose_service, label):
        with Lines(found) as lines:
            done.append(go(lines, drain=drain, force=force, tell=say))
    if as_json:
        documents = [
            {
                "container": back.container,
                "from": back.before,
                "to": back.after,
                "restarted": back.installed is None,
                "install_seconds": back.installed.seconds if back.installed else None,
            }
            for back in done
        ]
        print(json.dumps(documents, indent=2))
        return
    for back in done:
        how = (
            f"in {back.installed.seconds * 1000:,.0f} ms, without a restart"
            if back.installed
            else "by a restart: its state and connections are gone"
        )
        print(f"{back.container}: {back.before} back to {back.after}, {how}")
