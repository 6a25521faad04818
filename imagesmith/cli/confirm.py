"""`imagesmith confirm`."""

from __future__ import annotations

from imagesmith.cli.pets import ComposeService, ContainerNames, Force, Labels

__all__ = ["confirm"]


def confirm(
    container: ContainerNames = None,
    compose_service: ComposeService = None,
    label: Labels = None,
    force: Force = False,
) -> None:
    """Make the version that runs permanent: every later start boots it.

    Examples:
      imagesmith confirm --container shop
    """
    from imagesmith.cli.pets import find_pets, say
    from imagesmith.upgrade.lines import Lines
    from imagesmith.upgrade.session import confirm as confirmed

    for found in find_pets(container, compose_service, label):
        with Lines(found) as lines:
            version = confirmed(lines, say, force=force)
        print(f"{found.name}: {version} is permanent")
