"""The label by which an image tells which layers it can lend: a JSON object, diff ID → layer key.

Labels are handed down: an image built `FROM` ours has ours, and layers of its own besides. So a
diff ID that the image does not have means nothing, and is left out when the label is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from imagesmith.errors import BaseError
from imagesmith.layer.layer import Layer
from imagesmith.oci.spec import parse, to_bytes

__all__ = ["LAYERS_LABEL", "read_label", "write_label"]

LAYERS_LABEL = "io.imagesmith.layers"
KEY = re.compile(r"[0-9a-f]{64}")


def write_label(layers: Iterable[Layer]) -> str:
    """The label's text for an image of these layers."""
    return to_bytes({layer.diff_id: layer.key for layer in layers if layer.key}).decode()


def read_label(labels: Mapping[str, str], diff_ids: Collection[str]) -> dict[str, str]:
    """The keys by diff ID of an image with these labels and layers; empty where it tells none."""
    try:
        found = parse(labels.get(LAYERS_LABEL, "{}").encode(), LAYERS_LABEL)
    except BaseError:
        return {}
    return {
        diff_id: key
        for diff_id, key in found.items()
        if diff_id in diff_ids and isinstance(key, str) and KEY.fullmatch(key)
    }
