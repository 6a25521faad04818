"""From a planned layer to its bytes: asked of the store first, written on a miss."""

from __future__ import annotations

from imagesmith.layer.layer import Layer
from imagesmith.layer.split import Plan
from imagesmith.layer.store import Store
from imagesmith.layer.tar import tar
from imagesmith.oci.spec import Descriptor, MediaType

__all__ = ["build_layer"]


def build_layer(plan: Plan, store: Store) -> Layer:
    """The layer of a plan. Raises ReleaseError or OutputError if it cannot be written."""
    key = plan.key
    blob = store.get(key) or store.put(key, lambda: tar(plan.members, plan.prefix))
    return Layer(
        plan.group,
        plan.name,
        blob.diff_id,
        Descriptor(MediaType.LAYER_GZIP, blob.digest, blob.size),
        blob.open,
        key,
    )
