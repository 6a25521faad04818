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
        self._shell: Dialogue | None = None
        self._node: Dialogue | None = None
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
        for line in (self._shell, self._node):
            if line is not None:
                line.close()
        self._shell = self._node = None

    def sh(self, script: str, *arguments: str) -> Answer:
        """A shell script in the container, with `$1` and so on. Raises DockerError if it does not
        end in time."""
        if self._shell is not None and self._shell.has_ended:
            self._shell.close()
            self._shell = None
        if self._shell is None:
            self._shell = self.container.talk("sh")
        mark = uuid.uuid4().hex
        command = shlex.join(["sh", "-c", script, "sh", *arguments])
        words = f"{command} </dev/null; echo {mark} $? {mark}; echo {mark} >&2\n"
        try:
            code, out, said = self._shell.say(
                words.encode(), until=f"{mark}\n".encode(), seconds=ANSWER_SECONDS, both=True
            )
        except DockerError:
            self._shell = None
            raise
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
        node = self._open(command)
        mark = uuid.uuid4().hex.encode()
        try:
            code, out, said = node.say(
                b"%b %b\n" % (mark, question), until=b">" + mark, seconds=seconds
            )
        except DockerError:
            self._node = None
            raise
        self._heard = time.monotonic()
        words = said.decode(errors="replace")
        found = re.search(rb"%b (kept|last)<([^>]*)>%b" % (mark, mark), out)
        if found is None or found[1] == b"last":
            node.close()
            self._node = None
        if found is None:
            return Answer(code or 0, out, words)
        return Answer(0, b"imagesmith<%b>imagesmith" % found[2], words)

    def _open(self, command: Sequence[str]) -> Dialogue:
        # Well before the other end leaves, or a question could be lost.
        silent = time.monotonic() - self._heard > self.idle / 2
        if self._node is not None and (silent or self._node.has_ended):
            self._node.close()
            self._node = None
        if self._node is None:
            self._node = self.container.talk(*command)
        return self._node
