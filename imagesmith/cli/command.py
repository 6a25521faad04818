"""A command is a function: its signature is its command line, its docstring its help.

    def greet(
        name: Annotated[str, Argument("NAME", help="Whom to greet.")],
        loud: Annotated[bool, Option("--loud", "-l", help="So that all hear it.")] = False,
    ) -> None:
        \"\"\"Say hello.

        More about it.

        Examples:
          imagesmith greet Joe --loud
        \"\"\"

The type says how a parameter is read: `bool` is a flag, `list[T] | None` can be repeated, a StrEnum
is one of its values, and str, int and Path are made of the text. What has a default can be left
out. A command returns its exit code, or None for 0; it is entered in commands.py.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from inspect import cleandoc
from typing import Literal

from imagesmith.cli.parameter import Argument, Option, Run, meant, parameters
from imagesmith.errors import UsageError

__all__ = ["Argument", "Command", "Option"]


class Command:
    """A command by its full name, such as `imagesmith cache why`.

    `program` is what the user calls imagesmith by: `docker imagesmith`, as Docker's plugin.
    """

    def __init__(self, name: str, run: Run, program: str = "imagesmith") -> None:
        self.name = f"{program}{name.removeprefix('imagesmith')}"
        self._place = name.partition(" ")[2]
        self._run = run
        text, _, examples = cleandoc(run.__doc__ or "").partition("\n\nExamples:\n")
        self.examples = re.sub(r"\bimagesmith (?=[a-z])", f"{program} ", examples)
        self.summary, _, self.description = text.partition("\n\n")
        everything = parameters(run)
        self.arguments = [item for item in everything if not item.names]
        self.options = [item for item in everything if item.names]

    @property
    def usage(self) -> str:
        """How it is called, in a line."""
        words = [self.name, "[OPTIONS]"]
        for item in self.arguments:
            word = f"{item.metavar}{'...' if item.many else ''}"
            words.append(word if item.required else f"[{word}]")
        return " ".join(words)

    def run(self, words: Sequence[str]) -> int:
        """Run it with these words; returns the exit code. Raises as `parse` and the command do."""
        return self._run(**self.parse(words)) or 0

    def parse(self, words: Sequence[str]) -> dict[str, object]:
        """The values of the parameters that are given, by name. Raises UsageError."""
        flags, given, rest = self._split(words)
        values: dict[str, object] = dict.fromkeys(flags, True)
        for item in self.arguments:
            count = len(rest) if item.many else 1
            given[item.name], rest = rest[:count], rest[count:]
        if rest:
            raise self._wrong(f"{rest[0]} is one argument too many")
        for item in (*self.options, *self.arguments):
            texts = given.get(item.name) or item.from_environment()
            if texts:
                values[item.name] = item.read(texts)
            elif item.required:
                raise self._wrong(f"{[*item.names, item.metavar][0]} is missing")
        return values

    def _split(self, words: Sequence[str]) -> tuple[list[str], dict[str, list[str]], list[str]]:
        """The flags that are set, the texts of the other options, and the words of neither."""
        # argparse reads the options alone: an argument that can be left out is absent for it as
        # soon as an option stands before it (github.com/python/cpython/issues/59317).
        parser = argparse.ArgumentParser(
            add_help=False,
            allow_abbrev=False,
            exit_on_error=False,
            argument_default=argparse.SUPPRESS,
        )
        for item in self.options:
            action: Literal["store_true", "append"] = "store_true" if item.is_flag else "append"
            parser.add_argument(*item.names, dest=item.name, action=action)
        end = words.index("--") if "--" in words else len(words)
        try:
            namespace, rest = parser.parse_known_args(words[:end])
        except argparse.ArgumentError as error:
            raise self._wrong_value(error.argument_name or "") from None
        for word in rest:
            if word.startswith("-") and word != "-":
                raise self._unknown(word.partition("=")[0])
        found = vars(namespace)
        flags = [item.name for item in self.options if item.is_flag and item.name in found]
        given = {name: texts for name, texts in found.items() if name not in flags}
        return flags, given, [*rest, *words[end + 1 :]]

    def _wrong(self, problem: str) -> UsageError:
        return UsageError(f"{self._place}: {problem}", hint=f"Usage: {self.usage}")

    def _wrong_value(self, names: str) -> UsageError:
        """For an option, told by its names as argparse joins them: no value, or one too many."""
        [item] = (item for item in self.options if "/".join(item.names) == names)
        if item.is_flag:
            return self._wrong(f"{names} takes no value")
        return self._wrong(f"{names} needs a value: {item.names[0]} {item.metavar}")

    def _unknown(self, word: str) -> UsageError:
        names = [name for item in self.options for name in item.names]
        return UsageError(
            f"{self._place}: there is no option {word}",
            hint=meant(word, names) or f"`{self.name} --help` shows those that there are.",
        )
