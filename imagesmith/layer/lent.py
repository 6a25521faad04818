"""Layers that images in registries lend: for a machine whose cache knows nothing yet.

An image that imagesmith made tells the keys of its layers in a label, so it is asked for what the
cache does not know. What it has is not built; and not fetched either, unless somebody opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import BinaryIO

from imagesmith.errors import RegistryError
from imagesmith.layer.entry import Entry
from imagesmith.layer.label import read_label
from imagesmith.layer.store import Store, Tar
from imagesmith.oci.remote import RemoteImage

__all__ = ["Lent", "lendable"]

UNKNOWN_CODEC = ""


class Lent:
    """A Store around another.

    `lend` asks the images, once and only if the other store lacks something; `fetch` brings a
    blob from one of its entry's holders.
    """

    def __init__(
        self,
        store: Store,
        lend: Callable[[], Mapping[str, Entry]],
        fetch: Callable[[Entry], BinaryIO],
    ) -> None:
        self._store = store
        self._lend = lend
        self._fetch = fetch

    @cached_property
    def _lent(self) -> Mapping[str, Entry]:
        return self._lend()

    def find(self, key: str) -> Entry | None:
        """See Store."""
        return self._store.find(key) or self._lent.get(key)

    def write(self, key: str, tar: Tar, of: str = "") -> Entry:
        """See Store."""
        return self._store.write(key, tar, of)

    def open(self, entry: Entry, tar: Tar) -> BinaryIO:
        """See Store. A layer that cannot be fetched any more is written after all."""
        if entry is not self._lent.get(entry.key):
            return self._store.open(entry, tar)
        try:
            return self._fetch(entry)
        except RegistryError:
            return self._store.open(entry, tar)


def lendable(image: RemoteImage, reference: str) -> dict[str, Entry]:
    """The layers that an image lends, by key; `reference` is what the user calls it."""
    keys = read_label(image.labels, image.diff_ids)
    return {
        keys[diff_id]: Entry(
            keys[diff_id],
            diff_id,
            blob.digest,
            blob.size,
            blob.media_type,
            UNKNOWN_CODEC,
            holders=(str(image.repository),),
            found=reference,
        )
        for diff_id, blob in zip(image.diff_ids, image.layers, strict=True)
        if diff_id in keys
    }
