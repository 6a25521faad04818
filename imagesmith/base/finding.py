"""What keeps a release from running on a base, in words; and one error of it all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from imagesmith.errors import BaseError

__all__ = ["Finding", "refuse"]

SHOWN = 8
"""How many findings a message lists: the first few say what is wrong."""

HINTS = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """`file` needs `needs`, but of that the base has only what `offers` says: so do `advice`."""

    file: str
    needs: str
    offers: str
    advice: str


def refuse(findings: Sequence[Finding], what: str) -> None:
    """Raise one BaseError with all findings, if there are any; the same need is told once."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for finding in findings:
        groups[finding.needs, finding.offers].append(finding.file)
    if not groups:
        return
    # What most files lack comes first: it says best what is wrong.
    ordered = sorted(
        groups.items(), key=lambda group: (-len(set(group[1])), min(group[1]), group[0])
    )
    lines = [_line(sorted(set(files)), *told) for told, files in ordered]
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    rank = {told: number for number, (told, _) in enumerate(ordered)}
    by_rank = sorted(findings, key=lambda item: rank[item.needs, item.offers])
    advice = list(dict.fromkeys(item.advice for item in by_rank))[:HINTS]
    raise BaseError(
        f"{what} cannot carry this release:\n  " + "\n  ".join([*lines[:SHOWN], *more]),
        hint="\n  ".join(advice),
    )


def _line(files: Sequence[str], needs: str, offers: str) -> str:
    # The VM itself tells more than one of its helpers.
    first = next((file for file in files if file.endswith("/beam.smp")), files[0])
    rest = len(files) - 1
    who = f"{first} needs" if not rest else f"{first} and {rest} more need"
    return f"{who} {needs}, {offers}"
