"""`imagesmith status`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Option
from imagesmith.cli.pets import ComposeService, ContainerNames, Labels

if TYPE_CHECKING:
    from imagesmith.upgrade.status import Status

__all__ = ["status"]


def status(
    container: ContainerNames = None,
    compose_service: ComposeService = None,
    label: Labels = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how pets stand: what runs, what a restart boots, and what the volume holds.

    Examples:
      imagesmith status --container shop
    """
    from imagesmith.cli.pets import find_pets
    from imagesmith.upgrade.lines import Lines
    from imagesmith.upgrade.status import read_status

    found = []
    for pet in find_pets(container, compose_service, label):
        with Lines(pet) as lines:
            found.append(read_status(lines))
    if as_json:
        print(json.dumps([item.document() for item in found], indent=2))
        return
    for number, item in enumerate(found):
        if number:
            print("")
        _print(item)


def _print(status: Status) -> None:
    from imagesmith.cli.quantity import show_size

    confirmed = "" if status.current == status.permanent else ", not confirmed"
    rows = [
        ("container", f"{status.container} ({status.name}), {status.status}"),
        ("running", f"{status.current or 'unknown'}{confirmed}"),
        ("permanent", f"{status.permanent}: what a restart boots"),
        ("old", ", ".join(status.old) or "none"),
        ("image", f"{status.image} ({status.image_reference})"),
        ("volume", f"{show_size(status.used)} used, {show_size(status.free)} free"),
    ]
    if status.days is not None:
        rows.append(("base", f"{status.days} days old"))
    if status.kept:
        shown = [module.removeprefix("Elixir.") for module in status.kept[:8]]
        more = f" and {len(status.kept) - 8} more" if len(status.kept) > 8 else ""
        rows.append(("old code", f"{', '.join(shown)}{more}"))
    if status.upgradable:
        rows.append(("upgrades", f"not upgradable: {status.upgradable}"))
    if status.lock is not None:
        rows.append(("lock", status.lock or "held by an upgrade that wrote no name"))
    rows += [("drift", words) for words in status.drift]
    if status.last:
        last = status.last
        rows.append(
            ("last", f"{last.time} {last.action} {last.before} to {last.after}: {last.result}")
        )
    for name, words in rows:
        print(f"{name:<10} {words}")
