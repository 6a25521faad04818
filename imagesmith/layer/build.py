"""From a planned layer to a layer: asked of the store, written where it is not known.

Of a layer that the store knows, nothing is read, tarred or compressed until somebody opens it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from imagesmith.layer.layer import Layer
from imagesmith.layer.split import Plan
from imagesmith.layer.store import Store
from imagesmith.layer.tar import tar

__all__ = ["build_layer"]


def build_layer(plan: Plan, store: Store) -> Layer:
    """The layer of a plan. Raises ReleaseError or OutputError if it cannot be written."""
    key = plan.key

    def make() -> Iterable[bytes]:
        return tar(plan.members, plan.prefix)  # a plan's members can be dear to know

    entry = store.find(key) or store.write(key, make, f"{plan.group} {plan.name}")
    return Layer(
        plan.group,
        plan.name,
        entry.diff_id,
        entry.descriptor,
        partial(store.open, entry, make),
        key,
        entry.holders,
        entry.found,
    )
