"""A command in a container that is spoken to for as long as it runs: bytes in, bytes out."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from contextlib import suppress

from imagesmith.errors import DockerError

__all__ = ["Dialogue"]

END_SECONDS = 5.0
"""How long a command has to end in, once it hears no more."""
CHUNK_BYTES = 1 << 16


class _Heard:
    """What has come on a stream, and whether the mark that it is read up to is there."""

    def __init__(self, mark: bytes) -> None:
        self.text = bytearray()
        self.whole = self.ended = False
        self._mark = mark

    def read(self, stream: int) -> bool:
        """Whether there was something to read; nothing is at the stream's end."""
        part = os.read(stream, CHUNK_BYTES)
        start = max(0, len(self.text) - len(self._mark))
        self.text += part
        self.whole = self.whole or self._mark in self.text[start:]
        self.ended = not part
        return bool(part)


class Dialogue:
    """A running `docker exec -i …`, made by `Container.talk`; ended by `close`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdin and process.stdout and process.stderr
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        os.set_blocking(self._stdin.fileno(), False)

    @property
    def has_ended(self) -> bool:
        """Whether the command has ended, and hears nothing more."""
        return self._process.poll() is not None

    def say(
        self, words: bytes, until: bytes, seconds: float, *, both: bool = False
    ) -> tuple[int | None, bytes, bytes]:
        """Say something, and take what it prints from then on, up to a mark on stdout; with `both`
        up to that on stderr as well.

        Answers an exit code, stdout and stderr: the code is None if the mark came, and the
        command's own if it ended before. Raises DockerError if neither comes within `seconds`; then
        nothing more can be said.
        """
        deadline = time.monotonic() + seconds
        unsaid = memoryview(words)
        out, err = _Heard(until), _Heard(until)
        awaited = (out, err) if both else (out,)
        with selectors.DefaultSelector() as ready:
            ready.register(self._stdin, selectors.EVENT_WRITE)
            ready.register(self._stdout, selectors.EVENT_READ, out)
            ready.register(self._stderr, selectors.EVENT_READ, err)
            while (left := deadline - time.monotonic()) > 0:
                for key, _ in ready.select(left):
                    if key.fileobj is self._stdin:
                        unsaid = unsaid[self._write(unsaid) :]
                        if not unsaid:
                            ready.unregister(self._stdin)
                    elif not key.data.read(key.fd):
                        ready.unregister(key.fileobj)
                if all(heard.whole for heard in awaited):
                    return None, bytes(out.text), bytes(err.text)
                if out.ended and err.ended:
                    return self._end(), bytes(out.text), bytes(err.text)
        self._process.kill()
        self.close()
        raise DockerError(
            f"docker exec did not answer within {seconds:g} s",
            hint="`docker version` tells whether the engine answers.",
        )

    def close(self) -> None:
        """Say that no more will come, and let the command end by itself, if it does soon."""
        self._end()
        for stream in (self._stdout, self._stderr):
            stream.close()

    def _end(self) -> int:
        with suppress(BrokenPipeError):
            self._stdin.close()
        try:
            return self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _write(self, words: memoryview) -> int:
        """How much of it was taken: all of it where nobody listens, whose last words say why."""
        try:
            return os.write(self._stdin.fileno(), words[:CHUNK_BYTES])
        except BrokenPipeError:
            return len(words)
