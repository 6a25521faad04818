"""What is known of a written layer, and how the cache notes it down.

An entry is a small file: a line of JSON, and its SHA-256. One that a crash has cut short, that a
bit was flipped in, that a newer version wrote, or that lies under another key's name, is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from imagesmith.errors import BaseError
from imagesmith.oci.spec import DIGEST, Descriptor, Json, array, digest_of, parse, string, to_bytes

__all__ = ["KEY", "VERSION", "Entry", "document_of", "parse_entry"]

VERSION = 1
KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A written layer.

    `key` names what its bytes follow from, `diff_id` is the digest of its tar; `digest`, `size`
    (bytes) and `media_type` are those of the blob that `codec` made of it. `holders` are
    repositories (`HOST/NAME`) known to have the blob, the last one seen first. `found` says where
    it was found, None for a layer that this run has written. `of` is the layer's group and name.
    """

    key: str
    diff_id: str
    digest: str
    size: int
    media_type: str
    codec: str
    holders: tuple[str, ...] = ()
    found: str | None = None
    of: str = ""

    @property
    def descriptor(self) -> Descriptor:
        """Of its blob."""
        return Descriptor(self.media_type, self.digest, self.size)

    def to_bytes(self) -> bytes:
        """The entry as a file; equal entries are equal bytes."""
        document = to_bytes(
            {
                **self.descriptor.to_json(),
                "version": VERSION,
                "key": self.key,
                "diffId": self.diff_id,
                "codec": self.codec,
                "of": self.of,
                "holders": list(self.holders),
            }
        )
        return b"%s\n%s\n" % (document, digest_of(document).encode())


def document_of(data: bytes) -> Mapping[str, Json] | None:
    """What an entry's file says, of whatever version it is; None for a damaged one."""
    document, _, check = data.partition(b"\n")
    if check != digest_of(document).encode() + b"\n":
        return None
    try:
        return parse(document, "entry")
    except BaseError:
        return None


def parse_entry(data: bytes, key: str) -> Entry | None:
    """The entry of this key, if the file is one."""
    found = document_of(data)
    if found is None or (found.get("version"), found.get("key")) != (VERSION, key):
        return None
    try:
        blob = Descriptor.from_json(found, key)
        diff_id = string(found.get("diffId"), key)
        if not DIGEST.fullmatch(diff_id):
            return None
        return Entry(
            key,
            diff_id,
            blob.digest,
            blob.size,
            blob.media_type,
            string(found.get("codec"), key),
            tuple(string(item, key) for item in array(found.get("holders"), key)),
            of=string(found.get("of"), key),
        )
    except BaseError:
        return None
