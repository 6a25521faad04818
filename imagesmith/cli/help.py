"""What `--help` prints, for a command and for a group of them, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from imagesmith.cli.wrap import wrapped

if TYPE_CHECKING:
    from imagesmith.cli.command import Command
    from imagesmith.cli.parameter import Parameter

__all__ = [
    "EXIT_CODES",
    "HELP",
    "VERSION",
    "command_help",
    "group_help",
    "option_help",
    "option_names",
]

EXIT_CODES = "Exit codes: 0 done, 1 the work failed, 2 the request was wrong."
HELP = ("-h, --help", "Print this help.")
VERSION = ("    --version", "Print the version.")
LEFT = 32
"""The width of a table's left column at most, in characters."""


def command_help(command: Command) -> str:
    """A command's usage, description, arguments, options and examples."""
    lines = [f"Usage: {command.usage}", "", *wrapped(command.summary)]
    for paragraph in filter(None, command.description.split("\n\n")):
        lines += ["", *wrapped(paragraph)]
    # A name is enough where there is nothing to say of it.
    arguments = [(item.metavar, item.declared.help) for item in command.arguments]
    if any(text for _, text in arguments):
        lines += ["", "Arguments:", *_table(arguments)]
    options = [(option_names(item), option_help(item)) for item in command.options]
    lines += ["", "Options:", *_table([*options, HELP])]
    if command.examples:
        lines += ["", "Examples:", command.examples]
    return "\n".join([*lines, "", *wrapped(EXIT_CODES)])


def group_help(name: str, summary: str, summaries: Mapping[str, str], *, version: bool) -> str:
    """A group's usage and commands, which are told by their own names, without the group's."""
    options = [VERSION] if version else []
    return "\n".join(
        [
            f"Usage: {name} COMMAND",
            "",
            *wrapped(summary),
            "",
            "Commands:",
            *_table(summaries.items()),
            "",
            "Options:",
            *_table([*options, HELP]),
            "",
            *wrapped(f"`{name} COMMAND --help` tells more about a command."),
            "",
            *wrapped(EXIT_CODES),
        ]
    )


def option_names(item: Parameter) -> str:
    """An option's names, the short one first, and what stands for its value."""
    short = [name for name in item.names if not name.startswith("--")]
    names = ", ".join([*short, *(name for name in item.names if name not in short)])
    return f"{'' if short else '    '}{names} {item.metavar}".rstrip()


def option_help(item: Parameter) -> str:
    """What an option is for, and how it may be given."""
    notes = []
    if item.many:
        notes.append("can be repeated")
    if item.declared.envvar:
        notes.append(f"also ${item.declared.envvar}")
    if item.required:
        notes.append("required")
    elif item.default and isinstance(item.default, str | int) and not item.is_flag:
        notes.append(f"default {item.default}")
    told = f" ({', '.join(notes)})" if notes else ""
    return f"{item.declared.help}{told}"


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    rows = list(rows)
    column = min(max(len(left) for left, _ in rows), LEFT) + 4
    for left, right in rows:
        lines = wrapped(right, " " * column)
        if len(left) > LEFT:
            yield f"  {left}"
        else:
            first, *lines = lines or [""]
            yield f"  {left:<{column - 2}}{first.strip()}".rstrip()
        yield from lines
