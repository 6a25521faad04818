"""An upgrade that is going to be killed: what it has said so far, and when."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread

__all__ = ["Attempt", "Line", "attempt"]

LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class Line:
    """What the command said, and how many seconds after its start."""

    at: float
    text: str


@dataclass(slots=True)
class Attempt:
    """A running `imagesmith upgrade`. Made by `attempt`."""

    process: subprocess.Popen[str]
    began: float
    lines: list[Line] = field(default_factory=list)
    _heard: Condition = field(default_factory=Condition)
    _ended: bool = False

    def now(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    def wait_until(self, moment: float, like: Sequence[Line]) -> None:
        """Until it is where another one was after `moment` seconds: as many lines were heard, and
        the last as long ago, unless this one is faster and has come to the next."""
        before = [line.at for line in like if line.at <= moment]
        with self._heard:
            self._heard.wait_for(lambda: self._ended or len(self.lines) >= len(before), LONGEST)
            since = before[-1] if before else self.now()
            self._heard.wait_for(
                lambda: self._ended or len(self.lines) > len(before), max(moment - since, 0)
            )

    def said(self, words: str) -> float | None:
        """When it said this; None if it did not."""
        return next((line.at for line in self.lines if words in line.text), None)

    def end(self) -> int:
        """Its exit code, once it has ended; -9 if it was killed."""
        with self._heard:
            self._heard.wait_for(lambda: self._ended, LONGEST)
        return self.process.wait(LONGEST)

    def listen(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            with self._heard:
                self.lines.append(Line(self.now(), text.rstrip()))
                self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()

    def __str__(self) -> str:
        return "\n".join(f"{line.at:6.2f} {line.text}" for line in self.lines)


@contextmanager
def attempt(bundle: Path, container: str, *options: str | Path) -> Iterator[Attempt]:
    """Upgrade a container; what is still running at the end is killed."""
    command = [sys.executable, "-m", "imagesmith", "upgrade", str(bundle), "--container", container]
    with subprocess.Popen(
        [*command, *map(str, options)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        going = Attempt(process, time.monotonic())
        Thread(target=going.listen, daemon=True).start()
        try:
            yield going
        finally:
            process.kill()
