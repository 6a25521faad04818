"""The plan of a pair."""

from __future__ import annotations

from imagesmith.beam.release import read_release
from imagesmith.beam.tree import Folder
from imagesmith.plan.code import Running
from imagesmith.plan.plan import Plan, make_plan
from tests.pairs.builds import APPLICATIONS, KIOSK, Kiosk
from tests.pairs.pair import Pair

__all__ = ["plan_of"]


def plan_of(kiosk: Kiosk, pair: Pair) -> Plan:
    """By the appups that the pair names, or none."""
    old, new = (
        Running(read_release(Folder(path), own=APPLICATIONS))
        for path in (kiosk.before(pair), kiosk.after(pair))
    )
    return make_plan(old, new, KIOSK / f"appups/{pair.appups}" if pair.appups else None)
