"""`imagesmith history`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

from imagesmith.cli.command import Option
from imagesmith.cli.pets import ComposeService, ContainerNames, Labels

__all__ = ["history"]


def history(
    container: ContainerNames = None,
    compose_service: ComposeService = None,
    label: Labels = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what was done to a pet: when, by whom, and what came of it. The oldest is first.

    Examples:
      imagesmith history --container shop
    """
    from imagesmith.cli.pets import find_pet
    from imagesmith.upgrade.history import read_history
    from imagesmith.upgrade.lines import Lines
    from imagesmith.upgrade.volume import Volume, read_volume

    with Lines(find_pet(container, compose_service, label)) as lines:
        events = read_history(Volume(lines, read_volume(lines).root))
    if as_json:
        print(json.dumps([asdict(event) for event in events], indent=2))
        return
    for event in events:
        detail = f" ({event.detail})" if event.detail else ""
        print(
            f"{event.time}  {event.who:<12} {event.action:<9} {event.before} to {event.after}: "
            f"{event.result}{detail}"
        )
