"""The man pages: what `--help` says, word for word, in the macros of man(7).

    python -m imagesmith.cli.man DIR

writes a page for each command and each group of them, into docs/man; the wheel brings them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from imagesmith import __version__
from imagesmith.cli.app import command_of, summary_of, words_after
from imagesmith.cli.commands import COMMANDS, GROUPS
from imagesmith.cli.help import EXIT_CODES, HELP, VERSION, option_help, option_names

if TYPE_CHECKING:
    from imagesmith.cli.command import Command

__all__ = ["pages"]

AS_TYPED = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "~": r"\(ti", "^": r"\(ha"})
"""What roff would print as another character than the one on the keyboard (groff_char(7))."""


def pages() -> dict[str, str]:
    """Each page by its file's name."""
    names = [*GROUPS, *COMMANDS]
    return {f"{_title(name)}.1": "\n".join([*_page(name), ""]) for name in names}


def _page(name: str) -> Iterator[str]:
    # The date is left out: a page changes with what it says, not with the day.
    yield f'.TH {_title(name).upper()} 1 "" "imagesmith {__version__}" "User Commands"'
    yield from (".SH NAME", rf"{_text(_title(name))} \- {_text(_plain(summary_of(name)))}")
    yield from _group(name) if name in GROUPS else _command(command_of(name))
    yield from (".SH EXIT STATUS", _text(EXIT_CODES.removeprefix("Exit codes: ")))
    yield from (".SH SEE ALSO", _see(_relatives(name)))


def _group(name: str) -> Iterator[str]:
    yield from (".SH SYNOPSIS", rf"\fB{_text(name)}\fR \fICOMMAND\fR")
    yield from (".SH DESCRIPTION", _text(GROUPS[name]))
    yield ".SH COMMANDS"
    yield from _list((word, summary_of(f"{name} {word}")) for word in words_after(name))
    yield ".SH OPTIONS"
    yield from _list([*([VERSION] if name == "imagesmith" else []), HELP])


def _command(command: Command) -> Iterator[str]:
    rest = command.usage.removeprefix(command.name)
    yield from (".SH SYNOPSIS", rf"\fB{_text(command.name)}\fR{_text(rest)}")
    yield from (".SH DESCRIPTION", _text(command.summary))
    for paragraph in filter(None, command.description.split("\n\n")):
        yield from (".PP", _text(paragraph))
    if any(item.declared.help for item in command.arguments):
        yield ".SH ARGUMENTS"
        yield from _list((item.metavar, item.declared.help) for item in command.arguments)
    yield ".SH OPTIONS"
    yield from _list([*((option_names(item), option_help(item)) for item in command.options), HELP])
    if command.examples:
        yield from (".SH EXAMPLES", ".nf")
        yield from (_text(line) or ".sp" for line in dedent(command.examples).splitlines())
        yield ".fi"


def _list(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for left, right in rows:
        yield from (".TP", rf"\fB{_text(left.strip())}\fR", _text(right))


def _relatives(name: str) -> list[str]:
    """The group that a command or a group is in, and what is in a group."""
    above = name.rpartition(" ")[0]
    below = [f"{name} {word}" for word in words_after(name)] if name in GROUPS else []
    return [*filter(None, [above]), *below]


def _see(names: Iterable[str]) -> str:
    return ",\n".join(rf"\fB{_text(_title(name))}\fR(1)" for name in names)


def _plain(sentence: str) -> str:
    """A sentence for the list that apropos(1) shows: no full stop, and no font."""
    return sentence.removesuffix(".").replace("`", "")


def _title(name: str) -> str:
    return name.replace(" ", "-")


def _text(text: str) -> str:
    """A line of text as roff reads it, with `code` in bold."""
    line = " ".join(text.split("\n")).translate(AS_TYPED)
    line = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", line)
    return rf"\&{line}" if line.startswith(".") else line


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for old in folder.glob("imagesmith*.1"):
        old.unlink()
    for file, page in pages().items():
        (folder / file).write_text(page)
