"""A proxy before a registry that stalls, cuts, answers 500 and lies, as a test tells it to.

It passes everything on and writes down what passed. A `Fault` is what happens to a request instead;
`Proxy.fail` says to which requests.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import parse_qs, urlsplit

from tests.registries.loopback import Handler, listening

__all__ = [
    "Answer",
    "Change",
    "CutRequest",
    "CutResponse",
    "Fault",
    "Forget",
    "Passed",
    "Proxy",
    "Stall",
    "proxy",
]

PIECE = 64 << 10
# RFC 9110, 7.6.1: these are about one connection.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}


@dataclass(frozen=True, slots=True)
class Stall:
    """Take the request and never answer."""


@dataclass(frozen=True, slots=True)
class CutRequest:
    """Cut the connections to both sides once so many bytes of the request's body have passed."""

    after: int


@dataclass(frozen=True, slots=True)
class CutResponse:
    """Cut the connection once so many bytes of the answer's body have passed."""

    after: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer so, without asking the registry. `{digest}` in a header is the one in the query."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Forget:
    """Pass the request on without these parameters of its query, such as `mount`."""

    parameters: frozenset[str]


def _same(body: bytes) -> bytes:
    return body


@dataclass(frozen=True, slots=True)
class Change:
    """Pass on what the registry answers, with another body or other headers."""

    body: Callable[[bytes], bytes] = _same
    headers: Mapping[str, str] = field(default_factory=dict)


Fault = Stall | CutRequest | CutResponse | Answer | Forget | Change


@dataclass
class _Rule:
    """The first `skip` requests that match pass well, the next `times` do not."""

    fault: Fault
    method: re.Pattern[str]
    path: re.Pattern[str]
    skip: int
    times: int

    def met(self, method: str, path: str) -> bool:
        if not self.times or not self.method.fullmatch(method) or not self.path.search(path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Passed:
    """A request that came; `sent` bytes of its body arrived. `status` 0: it had no answer."""

    method: str
    path: str
    headers: Mapping[str, str]
    sent: int = 0
    status: int = 0

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


class Proxy:
    """A proxy that listens on `host`; `passed` is all that came, in order."""

    def __init__(self, registry: str) -> None:
        self.registry = registry
        self.host = ""
        self.passed: list[Passed] = []
        self.closing = threading.Event()
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def fail(
        self, fault: Fault, method: str = ".*", path: str = "", skip: int = 0, times: int = 1
    ) -> None:
        """Let the fault happen to requests of these methods and paths (regular expressions)."""
        self._rules.append(_Rule(fault, re.compile(method), re.compile(path), skip, times))

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._rules.clear()

    def take(self, request: Passed) -> Fault | None:
        """Write a request down; returns what shall happen to it."""
        with self._lock:
            self.passed.append(request)
            met = (rule for rule in self._rules if rule.met(request.method, request.path))
            first = next(met, None)
            return first.fault if first else None

    def requests(self, method: str, path: str = "") -> list[Passed]:
        """Those of a method and a path (regular expressions)."""
        return [
            item
            for item in self.passed
            if re.fullmatch(method, item.method) and re.search(path, item.path)
        ]

    @property
    def sent(self) -> int:
        """Bytes of all bodies that clients sent, manifests included."""
        return sum(item.sent for item in self.passed)


class _Cut(Exception):
    """The connection ends here."""


class _Passing(Handler):
    """One connection of a client, and one to the registry for each request of it."""

    proxy: Proxy

    def handle_one_request(self) -> None:
        # A client may go away at any point.
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def do_any(self) -> None:
        # RFC 9110, 5.3: a header that comes twice is a list.
        headers = {name: ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        request = Passed(self.command, self.path, headers)
        fault = self.proxy.take(request)
        try:
            self._meet(request, fault)
        except (_Cut, HTTPException):
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any  # noqa: N815

    def _meet(self, request: Passed, fault: Fault | None) -> None:
        match fault:
            case Stall():
                for _ in self._body(request, None):
                    pass
                self.proxy.closing.wait()
                raise _Cut
            case Answer(status, headers, body):
                for _ in self._body(request, None):
                    pass
                digest = "".join(request.query.get("digest", []))
                filled = {name: text.replace("{digest}", digest) for name, text in headers.items()}
                request.status = status
                self.answer(status, filled, body)
            case _:
                self._pass_on(request, fault)

    def _pass_on(self, request: Passed, fault: Fault | None) -> None:
        limit = fault.after if isinstance(fault, CutRequest) else None
        path = _without(request.path, fault.parameters) if isinstance(fault, Forget) else self.path
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP
        }
        if self._chunked:
            headers["Transfer-Encoding"] = "chunked"
        upstream = HTTPConnection(self.proxy.registry, timeout=60)
        try:
            # Who refuses a request need not read its body, and answers while it is sent.
            with suppress(BrokenPipeError, ConnectionResetError):
                body = self._body(request, limit) if self._chunked or self._length else None
                upstream.request(request.method, path, body, headers, encode_chunked=self._chunked)
            if limit is not None:
                raise _Cut
            self._answer_as(request, upstream.getresponse(), fault)
        finally:
            upstream.close()

    def _answer_as(self, request: Passed, answer: HTTPResponse, fault: Fault | None) -> None:
        headers = {
            name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP
        }
        request.status = answer.status
        if isinstance(fault, Change):
            body = fault.body(answer.read())
            if self.command != "HEAD":
                headers["Content-Length"] = str(len(body))
            self.close_connection = "Content-Length" in fault.headers
            self.answer(answer.status, headers | dict(fault.headers), body)
            return
        left = fault.after if isinstance(fault, CutResponse) else None
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        while piece := answer.read(PIECE if left is None else min(PIECE, left)):
            self.wfile.write(piece)
            left = None if left is None else left - len(piece)
        if left is not None:
            raise _Cut

    @property
    def _chunked(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding", "")

    @property
    def _length(self) -> int:
        return int(self.headers.get("Content-Length", 0))

    def _body(self, request: Passed, limit: int | None) -> Iterator[bytes]:
        """The request's body in pieces, no more than the limit; what came is counted."""
        source = self._chunks() if self._chunked else self._plain()
        for piece in source:
            if limit is not None and request.sent + len(piece) >= limit:
                yield piece[: limit - request.sent]
                request.sent = limit
                raise _Cut
            request.sent += len(piece)
            yield piece

    def _plain(self) -> Iterator[bytes]:
        left = self._length
        while left:
            piece = self.rfile.read1(min(PIECE, left))
            if not piece:
                raise _Cut
            left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        """RFC 9112, 7.1: a chunk each, its size in front of it; no client of ours has trailers."""
        while size := int(self.rfile.readline() or "0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


def _without(path: str, parameters: frozenset[str]) -> str:
    bare, _, query = path.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] not in parameters]
    return f"{bare}?{'&'.join(kept)}" if any(kept) else bare


@contextmanager
def proxy(registry: str, address: str = "127.0.0.1") -> Iterator[Proxy]:
    """A running proxy before the registry at `HOST:PORT`."""
    passing = Proxy(registry)

    class Connection(_Passing):
        proxy = passing

    with listening(Connection, address) as host:
        passing.host = host
        try:
            yield passing
        finally:
            passing.closing.set()
