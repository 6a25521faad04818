"""What a layer is, once its bytes are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from imagesmith.layer.split import Group
from imagesmith.oci.spec import Descriptor

__all__ = ["Layer"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image.

    `diff_id` is the digest of its tar, `descriptor` tells of its blob: the tar as compressed.
    `key` names what the bytes follow from (`layer.key`), for layers that imagesmith made. `open`
    reads the blob, which need not be on this machine before: it is fetched or written on demand.
    `holders` are repositories (`HOST/NAME`) known to hold it. `found` says where it was found,
    None for a layer that this run has written.
    """

    group: Group
    name: str
    diff_id: str
    descriptor: Descriptor
    open: Callable[[], BinaryIO]
    key: str | None = None
    holders: tuple[str, ...] = ()
    found: str | None = None
