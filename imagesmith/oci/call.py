"""A request to a registry, and its answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imagesmith.oci.authorization import Scopes

__all__ = ["Answer", "Body", "Call"]

Headers = Mapping[str, str]


class Body(Protocol):
    """A body that is streamed, and can be sent but once."""

    def __len__(self) -> int:
        """Its size in bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes; here so that requests takes it for a stream."""

    def read(self, size: int, /) -> bytes:
        """At most so many of its bytes; none at its end."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `url` may be relative to the registry's; `what` names it to the user.

    Statuses in `ok` are answers, all others are errors. A call that is made `once` is not
    repeated after a failure that its caller knows more about.
    """

    method: str
    url: str
    what: str
    scopes: Scopes = ()
    headers: Headers = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    body: bytes | Body = b""
    ok: Collection[int] = (200,)
    once: bool = False
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read whole; header names in any case. `url` is what it came from."""

    status: int
    headers: Headers
    body: bytes
    url: str
