"""HTTP servers of our own on the loopback, each in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Handler", "listening"]


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with connections that are kept, and logs nothing."""

    protocol_version = "HTTP/1.1"
    # Headers and body are written apart: with Nagle's algorithm each answer would wait 40 ms.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        """A whole answer; HEAD gets the headers only."""
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what the tests are about."""


@contextmanager
def listening(handler: type[Handler], address: str = "127.0.0.1") -> Iterator[str]:
    """Serve for a while; yields `HOST:PORT`."""
    with _Server((address, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{address}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
