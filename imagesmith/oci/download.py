"""One blob on its way out of a repository, checked; a cut one goes on from where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagesmith.errors import RegistryError
from imagesmith.oci.call import Call
from imagesmith.oci.host import Host
from imagesmith.oci.trouble import BROKEN, describe

if TYPE_CHECKING:
    from requests import Response

    from imagesmith.oci.authorization import Scopes
    from imagesmith.oci.spec import Descriptor

__all__ = ["download"]

CHUNK_BYTES = 1 << 20
PROGRESS_BYTES = 1 << 20
"""A connection that brought this much was worth it: its end does not count as a failure more."""


def download(host: Host, name: str, descriptor: Descriptor, scopes: Scopes) -> Iterator[bytes]:
    """The blob's bytes, at most 1 MiB at once.

    Raises RegistryError if they cannot be had, or at their end if they are not what they should be.
    """
    what = f"{name}: blob {descriptor.digest}"
    digest, have, failures, mark = hashlib.sha256(), 0, 0, 0
    while have < descriptor.size:
        call = Call(
            "GET",
            f"/v2/{name}/blobs/{descriptor.digest}",
            what,
            scopes,
            {"Range": f"bytes={have}-"} if have else {},
            ok=(200, 206) if have else (200,),
        )
        with host.stream(call) as response:
            _check_length(host, what, response, descriptor.size, have)
            # Who does not know Range begins at the start: what was read before is passed over.
            skip = have if response.status_code == 200 else 0
            trouble = "it ended early"
            try:
                while chunk := response.raw.read(CHUNK_BYTES, decode_content=False):
                    passed, skip = min(skip, len(chunk)), max(0, skip - len(chunk))
                    chunk = chunk[passed:]
                    have += len(chunk)
                    if have > descriptor.size:
                        raise RegistryError(f"{host.name}: GET {what}: more than its size in bytes")
                    digest.update(chunk)
                    if chunk:
                        yield chunk
            except BROKEN as error:
                trouble = describe(error)
        if have < descriptor.size:
            failures = 1 if have - mark >= PROGRESS_BYTES else failures + 1
            mark = have
            if failures >= host.patience.tries:
                raise RegistryError(
                    f"{host.name}: GET {what}: {trouble} after {have} of {descriptor.size} bytes, "
                    f"{failures} times"
                )
            host.wait(failures)
    if f"sha256:{digest.hexdigest()}" != descriptor.digest:
        raise RegistryError(
            f"{host.name}: GET {what}: what came is damaged: sha256:{digest.hexdigest()}"
        )


def _check_length(host: Host, what: str, response: Response, size: int, have: int) -> None:
    """Raise RegistryError at once for an answer that cannot be what is wanted."""
    if response.status_code == 206:
        given = response.headers.get("Content-Range", "")
        if not given.startswith(f"bytes {have}-"):
            raise RegistryError(f"{host.name}: GET {what}: another range than asked for: {given!r}")
        return
    told = response.headers.get("Content-Length", "")
    if told.isdecimal() and int(told) != size:
        raise RegistryError(f"{host.name}: GET {what}: it has {told} bytes, not {size}")
