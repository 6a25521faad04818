"""What is kept open into a container for as long as a command of ours lasts.

To reach a node takes a VM that is started for it, which costs more than any question. So one is
started for the first question, and the others go the same way: `erl/line.erl` has the words. So it
is with shell commands: one `docker exec` takes longer than most of them.
"""

from __future__ import annotations

import re
import shlex
import time
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from imagesmith.docker.container import ANSWER_SECONDS, Answer, Container
from imagesmith.docker.dialogue import Dialogue
from imagesmith.errors import DockerError

__all__ = ["Lines"]

IDLE_SECONDS = 120.0


class Lines:
    """The lines into one container. Each is opened when it is needed, and again once it ended.

    The node's end waits `idle` seconds for a question. It hears at once that we are gone, unless
    what lies between is gone too.
    """

    def __init__(self, container: Container, idle: float = IDLE_SECONDS) -> None:
        self.container, self.idle = container, idle
        self._open: dict[tuple[str, ...], Dialogue] = {}
        self._heard = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open. To be called when the container's VM is known to have ended."""
        for command in list(self._open):
            self._hang_up(command)

    def sh(self, script: str, *arguments: str, seconds: float = ANSWER_SECONDS) -> Answer:
        """A shell script in the container, with `$1` and so on. Raises DockerError if it does not
        end in time."""
        mark = uuid.uuid4().hex
        command = shlex.join(["sh", "-c", script, "sh", *arguments])
        words = f"{command} </dev/null; echo {mark} $? {mark}; echo {mark} >&2\n"
        code, out, said = self._say(("sh",), words.encode(), f"{mark}\n", seconds, both=True)
        text = said.decode(errors="replace").removesuffix(f"{mark}\n")
        found = re.search(rf"{mark} (\d+) {mark}\n".encode(), out)
        if found is None:
            return Answer(code or 1, out, text)
        return Answer(int(found[1]), out[: found.start()], text)

    def ask(self, command: Sequence[str], question: bytes, seconds: float) -> Answer:
        """Ask the node, through what `command` runs in it, a question in base64.

        The answer's stdout is `imagesmith<BASE64>imagesmith`, as that of a command which was
        started for one question; or what `command` said in its place. Raises DockerError.
        """
        if time.monotonic() - self._heard > self.idle / 2:
            # Well before the other end leaves, or a question could be lost.
            self._hang_up(tuple(command))
        mark = uuid.uuid4().hex
        words = b"%b %b\n" % (mark.encode(), question)
        code, out, said = self._say(tuple(command), words, f">{mark}", seconds)
        self._heard = time.monotonic()
        found = re.search(rf"{mark} (kept|last)<([^>]*)>{mark}".encode(), out)
        if found is None or found[1] == b"last":
            self._hang_up(tuple(command))
        if found is not None:
            code, out = 0, b"imagesmith<%b>imagesmith" % found[2]
        return Answer(code or 0, out, said.decode(errors="replace"))

    def _say(
        self,
        command: tuple[str, ...],
        words: bytes,
        mark: str,
        seconds: float,
        *,
        both: bool = False,
    ) -> tuple[int | None, bytes, bytes]:
        """Say it on the line of this command: the one that is open, or another."""
        line = self._open.get(command)
        if line is None or line.has_ended:
            self._hang_up(command)
            line = self._open[command] = self.container.talk(*command)
        try:
            return line.say(words, mark.encode(), seconds, both=both)
        except DockerError:
            self._hang_up(command)
            raise

    def _hang_up(self, command: tuple[str, ...]) -> None:
        line = self._open.pop(command, None)
        if line is not None:
            line.close()
