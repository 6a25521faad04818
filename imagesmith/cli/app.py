"""The program: which command is meant, and what becomes of an error."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from itertools import takewhile
from types import FrameType
from typing import TYPE_CHECKING

from imagesmith import __version__
from imagesmith.cli.commands import COMMANDS, GROUPS
from imagesmith.errors import ImagesmithError, RecipeError, UsageError

if TYPE_CHECKING:
    from imagesmith.cli.command import Command

__all__ = ["command_of", "main", "run", "summary_of", "words_after"]

PROGRAM = "imagesmith"
HELP = ("-h", "--help")
COMPLETE = "__complete"
"""What a shell asks, and Docker: what can stand in the last word's place (spf13/cobra)."""


def main(words: Sequence[str] | None = None, program: str = PROGRAM) -> None:
    """Run the program; exits with the command's code, an error's, or 128 + the signal's number.

    `words` are those of its command line, and `program` is what the user has called it by.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        code = run(sys.argv[1:] if words is None else words, program)
        sys.stdout.flush()
    except ImagesmithError as error:
        _tell(error)
        code = error.exit_code
    except BrokenPipeError:
        _forget_stdout()  # whoever read it has gone, and knows
        code = 128 + signal.SIGPIPE
    except OSError as error:
        # Where a path is looked at, the error says more; this is for the rest of the system.
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"imagesmith: {place}{error.strerror or error}\n")
        _forget_stdout()
        code = 1
    sys.exit(code)


def run(words: Sequence[str], program: str = PROGRAM) -> int:
    """Do what the words of a command line say; returns the exit code. Raises ImagesmithError."""
    name = PROGRAM
    for at, word in enumerate(words):
        if word in HELP:
            print(_group_help(name, program))
            return 0
        if word == COMPLETE and name == PROGRAM:
            from imagesmith.cli.completion import answer

            print(answer(words[at + 1 :]))
            return 0
        if word == "--version" and name == PROGRAM:
            print(f"{PROGRAM} {__version__}")
            return 0
        name = f"{name} {word}"
        if name in COMMANDS:
            return _run(name, words[at + 1 :], program)
        if name not in GROUPS:
            raise _unknown(name)
    print(_group_help(name, program), file=sys.stderr)
    return UsageError.exit_code


def _run(name: str, words: Sequence[str], program: str) -> int:
    command = command_of(name, program)
    if any(word in HELP for word in takewhile(lambda word: word != "--", words)):
        from imagesmith.cli.help import command_help

        print(command_help(command))
        return 0
    return command.run(words)


def command_of(name: str, program: str = PROGRAM) -> Command:
    """A command by its name in COMMANDS."""
    from imagesmith.cli.command import Command

    module, _, function = COMMANDS[name][0].partition(":")
    return Command(name, getattr(import_module(f"imagesmith.cli.{module}"), function), program)


def _group_help(name: str, program: str) -> str:
    from imagesmith.cli.help import group_help

    summaries = {word: summary_of(f"{name} {word}") for word in words_after(name)}
    shown = f"{program}{name.removeprefix(PROGRAM)}"
    return group_help(shown, GROUPS[name], summaries, version=name == PROGRAM)


def summary_of(name: str) -> str:
    """What a command or a group is, in a sentence."""
    return GROUPS[name] if name in GROUPS else COMMANDS[name][1]


def words_after(group: str) -> list[str]:
    """What can follow a group's name."""
    names = (name.rpartition(" ") for name in (*COMMANDS, *GROUPS))
    return [word for before, _, word in names if before == group]


def _unknown(name: str) -> UsageError:
    from imagesmith.cli.parameter import meant

    group, _, word = name.rpartition(" ")
    kind = "option" if word.startswith("-") else "command"
    known = [*words_after(group), *HELP, *(["--version"] if group == PROGRAM else [])]
    place = group.partition(" ")[2]
    return UsageError(
        f"{place}{': ' if place else ''}there is no {kind} {word}",
        hint=meant(word, known) or f"`{group} --help` shows what there is.",
    )


def _end(number: int, _: FrameType | None) -> None:
    """End in order, so that what was begun is cleared away."""
    sys.stderr.write(f"imagesmith: ended by {signal.Signals(number).name}\n")
    sys.exit(128 + number)


def _forget_stdout() -> None:
    """What could not be written cannot be written at exit either: a second complaint is noise."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: ImagesmithError) -> None:
    lines = error.problems if isinstance(error, RecipeError) else [error.message]
    for line in lines:
        sys.stderr.write(f"imagesmith: {line}\n")
    if error.hint:
        sys.stderr.write(f"  {error.hint}\n")
