"""The Engine API over the Unix socket of a Docker on this machine.

The docker command takes 0.2 s to start, and a load would start it three times. Whatever is not on
this machine is the command's, which knows contexts, ssh and TLS.
Source: Docker Engine API v1.24 and later, `GET /version`, `POST /images/load`,
`GET /images/{name}/json`.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from contextlib import closing
from typing import IO, cast
from urllib.parse import quote

from imagesmith.docker.client import ANSWER_SECONDS, NOT_WHOLE, UNIX, failed_load, not_sent

__all__ = ["LocalDocker"]


class LocalDocker:
    """A Docker behind a socket (`unix:///var/run/docker.sock`)."""

    def __init__(self, place: str) -> None:
        self._path = place.removeprefix(UNIX)

    def version(self) -> str | None:
        """The version of the engine, or None if none answers."""
        try:
            found = json.loads(self._ask("/version") or b"null")
        except ValueError:
            return None
        return str(found.get("Version")) if isinstance(found, dict) else None

    def load(self, write: Callable[[IO[bytes]], None]) -> None:
        """Hand over an archive, which `write` writes. Raises DockerError in Docker's own words."""
        try:
            with closing(_Connection(self._path)) as connection:
                # It says nothing until it has unpacked all, however long that takes.
                connection.timeout = None
                connection.putrequest("POST", "/images/load?quiet=1")
                connection.putheader("Content-Type", "application/x-tar")
                connection.putheader("Transfer-Encoding", "chunked")
                connection.endheaders()
                body = _Chunked(connection)
                try:
                    write(cast("IO[bytes]", body))
                    body.end()
                except (BrokenPipeError, ConnectionResetError):
                    pass  # Docker gave up first: its own words say why
                answer = connection.getresponse()
                said = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise failed_load(str(error) or type(error).__name__) from None
        words, trouble = _words(said)
        if answer.status != http.client.OK or trouble:
            raise failed_load((trouble or words or [answer.reason])[-1])

    def reference(self, tag: str, digest: str, image_id: str) -> str:
        """See `client.Docker.reference`."""
        for reference in (f"{tag}@{digest}", image_id):
            if self._ask(f"/images/{quote(reference)}/json"):
                return reference
        raise not_sent(tag)

    def _ask(self, path: str) -> bytes | None:
        """As `client.ask`: what Docker answers; None for an error, or if it does not."""
        try:
            with closing(_Connection(self._path)) as connection:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.read() if answer.status == http.client.OK else None
        except (OSError, http.client.HTTPException):
            return None


class _Connection(http.client.HTTPConnection):
    """One to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Called by HTTPConnection when it has something to send."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Chunked:
    """What an archive is written to: each write a chunk (RFC 9112, section 7.1)."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Gathers the many small writes of an archive's headers."""
        self._held += data
        if len(self._held) >= 1 << 18:
            self._send()
        return len(data)

    def end(self) -> None:
        """The last chunk."""
        if self._held:
            self._send()
        self._connection.send(b"0\r\n\r\n")

    def _send(self) -> None:
        self._connection.send(b"%x\r\n%b\r\n" % (len(self._held), bytes(self._held)))
        self._held.clear()


def _words(said: str) -> tuple[list[str], list[str]]:
    """What Docker says in an error or in a stream of messages, each a JSON object on a line: all
    of it, and what of it says that something is wrong.
    """
    words, trouble = list[str](), list[str]()
    for line in filter(None, map(str.strip, said.splitlines())):
        try:
            message = json.loads(line)
        except ValueError:
            message = {"message": line}
        for key, text in message.items() if isinstance(message, dict) else ():
            if key in {"stream", "error", "message"} and isinstance(text, str) and text.strip():
                words.append(text.strip())
                if key == "error" or NOT_WHOLE in text:
                    trouble.append(text.strip())
    return words, trouble
