"""What a command takes: `Argument` and `Option` declare it, beside the parameter's type."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

from imagesmith.errors import UsageError

__all__ = ["Argument", "Option", "Parameter", "Run", "meant", "parameters"]

Run = Callable[..., int | None]
"""A command's function."""


class Argument:
    """A parameter that is told by its place."""

    def __init__(self, metavar: str, *, help: str = "") -> None:  # noqa: A002
        self.names: tuple[str, ...] = ()
        self.metavar = metavar
        self.help = help
        self.envvar: str | None = None


class Option:
    """A parameter that is told by one of its names, or else by an environment variable."""

    def __init__(
        self,
        name: str,
        *more: str,
        help: str,  # noqa: A002
        metavar: str = "",
        envvar: str | None = None,
    ) -> None:
        self.names = (name, *more)
        self.metavar = metavar
        self.help = help
        self.envvar = envvar


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a command's function; `kind` is the type of one value."""

    name: str
    declared: Argument | Option
    kind: type
    many: bool
    required: bool
    default: object

    @property
    def names(self) -> tuple[str, ...]:
        """The names of an option, the one to speak of first; an argument has none."""
        return self.declared.names

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.kind is bool

    @property
    def choices(self) -> list[str]:
        """The only values that it takes; none means any."""
        return [item.value for item in self.kind] if issubclass(self.kind, StrEnum) else []

    @property
    def metavar(self) -> str:
        """What stands for its value in the help."""
        if self.is_flag:
            return ""
        return self.declared.metavar or "|".join(self.choices) or self.kind.__name__.upper()

    def read(self, texts: Sequence[str]) -> object:
        """The value that these texts give: of all, or of the last. Raises UsageError."""
        return [self._read(text) for text in texts] if self.many else self._read(texts[-1])

    def from_environment(self) -> list[str]:
        """The text in its environment variable, if any; an empty variable is none."""
        text = os.environ.get(self.declared.envvar or "")
        return [text] if text else []

    def _read(self, text: str) -> object:
        try:
            return self.kind(text)
        except ValueError:
            said = " ".join([*self.names[:1], text])
            known = f"one of {', '.join(self.choices)}"
            wanted = {int: "a whole number", float: "a number"}.get(self.kind, known)
            raise UsageError(
                f"{said}: should be {wanted}", hint=meant(text, self.choices)
            ) from None


def parameters(run: Run) -> list[Parameter]:
    """The parameters of a command's function, in their order."""
    hints = get_type_hints(run, include_extras=True)
    return [
        _parameter(name, hints[name], found.default)
        for name, found in inspect.signature(run).parameters.items()
    ]


def _parameter(name: str, hint: object, default: object) -> Parameter:
    kind, declared = get_args(hint)  # of Annotated
    if isinstance(kind, UnionType):
        [kind] = (part for part in get_args(kind) if part is not NoneType)
    many = get_origin(kind) is list
    if many:
        [kind] = get_args(kind)
    required = default is inspect.Parameter.empty
    return Parameter(name, declared, kind, many, required, None if required else default)


def meant(word: str, known: Iterable[str]) -> str | None:
    """A question after the known word that is like this one; None if none is."""
    from difflib import get_close_matches

    alike = get_close_matches(word, list(known), 1)
    return f"Did you mean {alike[0]}?" if alike else None
