"""A terminal that types commands, runs them, and remembers what could be seen when."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyte

__all__ = ["COLUMNS", "GOES_ON", "PROMPT", "ROWS", "Moment", "Recording", "Run", "Terminal"]

COLUMNS, ROWS = 100, 30
PROMPT, GOES_ON = "$ ", "> "
"""What stands before a command, and before the next lines of one that ends in a backslash."""

TYPING = 0.03
"""Seconds for a key."""
READING = 1.6
"""Seconds in which nothing happens, after each command; longer waits of a command are cut to it."""
DIM, GREY = "\033[2m", "\033[90m"
"""pyte has no dim text (ECMA-48, SGR 2), but a bright black."""
TALLEST = 2000
"""Lines that a recording has at most: the emulated terminal has all, so that none scrolls away."""


@dataclass(frozen=True, slots=True)
class Run:
    """Some text of one look, from a column on. `look` is of bold and a colour's name."""

    column: int
    text: str
    look: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """From a second on, all is seen that stands before this line and column, from 0."""

    second: float
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Recording:
    """All lines, and when how much of them was there."""

    lines: tuple[tuple[Run, ...], ...]
    moments: tuple[Moment, ...]

    @property
    def text(self) -> list[str]:
        """The lines without their looks."""
        return ["".join(_padded(line)) for line in self.lines]


def _padded(line: tuple[Run, ...]) -> list[str]:
    said, at = [], 0
    for run in line:
        said.append(" " * (run.column - at) + run.text)
        at = run.column + len(run.text)
    return said


class Terminal:
    """COLUMNS wide, in a folder; `second` is the time of the recording, not of the clock."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {**environment, "TERM": "xterm-256color"}
        self._screen = pyte.Screen(COLUMNS, TALLEST)
        self._stream = pyte.Stream(self._screen)
        self._second = 0.0
        self._moments: list[Moment] = []
        self._left: list[str] = []  # the lines that the cursor has left, as they stood then

    def type(self, line: str) -> None:
        """Type a command, of one or more lines, after a prompt, and go to the next line."""
        self._show(PROMPT)
        self._second += READING / 4
        for key in line:
            self._second += TYPING
            self._show(key.replace("\n", f"\r\n{GOES_ON}"))
        self._second += TYPING * 8
        self._show("\r\n")

    def run(self, line: str) -> None:
        """Type a command and run it. Raises CalledProcessError where it fails."""
        self.type(line)
        process, output = self._start(line)
        reader = codecs.getincrementaldecoder("utf-8")()
        before = time.monotonic()
        while data := _read(output):
            now = time.monotonic()
            self._second += min(now - before, READING)
            before = now
            self._show(reader.decode(data))
        os.close(output)
        if code := process.wait():
            raise subprocess.CalledProcessError(code, line, "\n".join(self._screen.display))
        self._second += READING

    def recording(self) -> Recording:
        """What was seen up to now. Raises ValueError where something was written over: such a
        recording cannot be shown line by line."""
        self._show(PROMPT)
        last = self._screen.cursor.y
        if self._left != [_text(self._screen, line) for line in range(last)]:
            raise ValueError("a command has gone back and written over what stood there")
        lines = tuple(_runs(self._screen, line) for line in range(last + 1))
        return Recording(
            lines, (*self._moments, Moment(self._second + 3 * READING, last, len(PROMPT)))
        )

    def _start(self, line: str) -> tuple[subprocess.Popen[bytes], int]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=self._folder,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return process, ours

    def _show(self, text: str) -> None:
        self._stream.feed(text.replace(DIM, GREY))
        cursor = self._screen.cursor
        self._moments.append(Moment(self._second, cursor.y, cursor.x))
        new = range(len(self._left), cursor.y)
        self._left += [_text(self._screen, line) for line in new]


def _read(file: int) -> bytes:
    """What a terminal's program has written; nothing once it has ended, which Linux calls EIO."""
    try:
        return os.read(file, 65536)
    except OSError:
        return b""


def _text(screen: pyte.Screen, line: int) -> str:
    return "".join(screen.buffer[line][column].data for column in range(COLUMNS)).rstrip()


def _runs(screen: pyte.Screen, line: int) -> tuple[Run, ...]:
    """The line's text, in pieces of one look; blanks have none."""
    length = len(_text(screen, line))
    cells = [(column, screen.buffer[line][column]) for column in range(length)]
    runs: list[Run] = []
    for look, group in groupby(cells, lambda cell: _look(cell[1])):
        found = list(group)
        text = "".join(char.data for _, char in found)
        start = found[0][0] + len(text) - len(text.lstrip())
        if text.strip():
            runs.append(Run(start, text.strip(), look))
    return tuple(runs)


def _look(char: pyte.screens.Char) -> tuple[str, ...]:
    look: list[str] = []
    if char.bold:
        look.append("bold")
    if char.fg != "default":
        look.append(char.fg)
    return tuple(look)
