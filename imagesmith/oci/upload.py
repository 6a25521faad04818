"""One blob on its way into a repository (OCI distribution, "Pushing Blobs").

    POST   …/blobs/uploads/       202, Location: the session
    PATCH  Location               202, Range: what is there      a chunk; repeated
    PUT    Location?digest=…      201                            with the last chunk, or nothing

A session that is cut is asked what it has (GET: 204, Range) and goes on from there; one that the
registry has lost is begun anew, as often as `Patience` allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urljoin, urlsplit

from imagesmith.errors import RegistryError
from imagesmith.oci.authorization import Scopes, push
from imagesmith.oci.blob import Source
from imagesmith.oci.call import Answer, Body, Call
from imagesmith.oci.host import Host, Interrupted

__all__ = ["Upload", "session_of"]

CHUNK_BYTES = 4 << 20
MAX_CHUNK_BYTES = 16 << 20
"""The most that a registry gets its way with, if its `OCI-Chunk-Min-Length` asks for more."""

OCTETS = {"Content-Type": "application/octet-stream"}
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


class _Lost(RegistryError):
    """The session is of no use any more; another may be."""


class _Stream:
    """What requests takes for a file of known length: it would send an iterator as chunks."""

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks, self._size, self._left = chunks, size, b""

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    def read(self, size: int) -> bytes:
        """At most so many bytes."""
        self._left = self._left or next(self._chunks, b"")
        taken, self._left = self._left[:size], self._left[size:]
        return taken


class Upload:
    """Uploads a blob to `name` on a host; `session` is one that is open already."""

    def __init__(self, host: Host, name: str, source: Source, session: Answer | None) -> None:
        self._host = host
        self._name = name
        self._source = source
        self._session = session
        self._scopes: Scopes = (push(name),)
        self._takes_chunks = True

    def run(self) -> None:
        """Upload it, whatever it takes. Raises RegistryError, and what the source raises."""
        for failures in range(1, self._host.patience.tries + 1):
            session, self._session = self._session or self._start(), None
            try:
                if self._takes_chunks:
                    return self._in_chunks(session)
                return self._in_one_piece(session)
            except (_Lost, Interrupted) as error:
                # The answer to the last request may be all that was lost.
                if self._is_there():
                    return None
                last = error
            if failures < self._host.patience.tries:
                self._host.wait(failures)
        raise last

    def _start(self) -> Answer:
        return self._host.ask(
            self._call("POST", f"/v2/{self._name}/blobs/uploads/", ok=(202,), once=False)
        )

    def _in_chunks(self, session: Answer) -> None:
        wanted = session.headers.get("OCI-Chunk-Min-Length", "")
        least = int(wanted) if wanted.isdecimal() else 0
        size = max(CHUNK_BYTES, min(least, MAX_CHUNK_BYTES))
        url, offset = session_of(session), 0
        for chunk, is_last in _chunks(self._source.chunks(), size):
            if is_last and offset == 0:
                return self._finish(url, chunk)
            url = self._patch(url, chunk, offset)
            offset += len(chunk)
            del chunk  # or it would be held while the next one is read
        return self._finish(url, b"")

    def _patch(self, url: str, chunk: bytes, start: int) -> str:
        """Bring a chunk over, in as many tries as it takes; returns the next URL."""
        end, at = start + len(chunk), start
        for failures in range(1, self._host.patience.tries + 1):
            headers = {**OCTETS, "Content-Range": f"{at}-{end - 1}"}
            body = chunk[at - start :]
            try:
                answer = self._host.ask(
                    self._call("PATCH", url, headers=headers, body=body, ok=(202, 404, 416))
                )
            except Interrupted:
                self._host.wait(failures)
                answer = self._status(url)
            except RegistryError as error:
                # Some registries take a blob in one request only (Google's Artifact Registry).
                if error.status in {401, 403}:
                    raise
                self._takes_chunks = False
                raise _Lost(error.message, hint=error.hint, status=error.status) from None
            if answer.status == 404:
                raise self._lost("the session is gone", 404)
            if answer.status == 416:
                answer = self._status(url)
            url, found = session_of(answer), _end_of(answer.headers.get("Range"))
            have = end if found is None and answer.status == 202 else found or 0
            if have == end:
                return url
            if not start <= have < end:
                raise self._lost(f"the session has {have} bytes, not {end}", None)
            at = have
        raise self._lost("the session does not go on", None)

    def _status(self, url: str) -> Answer:
        """What a session has."""
        answer = self._host.ask(self._call("GET", url, ok=(202, 204, 404, 416, 400), once=False))
        if answer.status not in {202, 204}:
            raise self._lost("the session is gone", answer.status)
        # Without a Range nobody can tell what is there: nothing that one could go on from.
        return Answer(204, answer.headers, b"", answer.url)

    def _in_one_piece(self, session: Answer) -> None:
        """All of it in a single request, streamed."""
        size = self._source.descriptor.size
        self._finish(session_of(session), _Stream(self._source.chunks(), size))

    def _finish(self, url: str, body: bytes | Body) -> None:
        digest = self._source.descriptor.digest
        closing = f"{url}{'&' if '?' in url else '?'}digest={quote(digest, safe='')}"
        answer = self._host.ask(
            self._call("PUT", closing, headers=OCTETS, body=body, ok=(201, 204, 400, 404, 416))
        )
        if answer.status in {400, 404, 416}:
            said = answer.body[:300].decode(errors="replace").strip()
            raise self._lost(f"refused at its end: {answer.status} {said}", answer.status)
        told = answer.headers.get("Docker-Content-Digest")
        if told and told.startswith("sha256:") and told != digest:
            raise self._lost(f"the registry calls it {told}", answer.status)

    def _is_there(self) -> bool:
        url = f"/v2/{self._name}/blobs/{self._source.descriptor.digest}"
        return self._host.ask(self._call("HEAD", url, ok=(200, 404), once=False)).status == 200

    def _call(
        self,
        method: str,
        url: str,
        *,
        ok: tuple[int, ...],
        headers: dict[str, str] | None = None,
        body: bytes | Body = b"",
        once: bool = True,
    ) -> Call:
        what = f"{self._name}: upload of {self._source.descriptor.digest}"
        return Call(method, url, what, self._scopes, headers or {}, body=body, ok=ok, once=once)

    def _lost(self, why: str, status: int | None) -> _Lost:
        digest = self._source.descriptor.digest
        return _Lost(f"{self._host.name}: {self._name}: upload of {digest}: {why}", status=status)


def session_of(answer: Answer) -> str:
    """The URL to go on at. Raises RegistryError if the registry does not say it."""
    location = answer.headers.get("Location")
    if not location:
        raise _Lost(
            f"{urlsplit(answer.url).netloc}: the registry opened an upload without Location"
        )
    return urljoin(answer.url, location)


def _end_of(text: str | None) -> int | None:
    """How many bytes `0-LAST` stands for; distribution says `0-0` of an empty session too."""
    found = _RANGE.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    last = int(found[1])
    return last + 1 if last else 0


def _chunks(parts: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """The same bytes in chunks of a size, and of each whether it is the last; at least one."""
    held, length = list[bytes](), 0
    for part in parts:
        if length >= size:
            whole = b"".join(held)
            held, length = [whole[size:]], length - size
            yield whole[:size], False
            del whole
        held.append(part)
        length += len(part)
    whole = b"".join(held)
    for start in range(0, max(length, 1), size):
        yield whole[start : start + size], start + size >= length
