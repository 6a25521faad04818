"""The text of a recipe: bytes to YAML nodes, which know their line and column.

YAML as version 1.2 has it (`on` and `yes` are text, only `true` and `false` are booleans), and of
that what a recipe needs: one document, no tags, no anchors and aliases. Refusing aliases takes
the danger out of them (a page of them expands to gigabytes) and costs a recipe nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

from imagesmith.recipe.file import LARGEST

__all__ = ["Mistake", "SourceError", "compose"]

_DEEPEST = 20  # a recipe needs five levels; the composer calls itself once a level

# Everything that PyYAML's reader would refuse with a bare offset.
_NO_TEXT = re.compile(
    r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


class Mistake(NamedTuple):
    """What is wrong at one place; sorts by place. Line and column count from 1."""

    line: int
    column: int
    text: str


class SourceError(Exception):
    """The text cannot be read any further than this mistake."""

    def __init__(self, line: int, column: int, text: str) -> None:
        super().__init__(text)
        self.mistake = Mistake(line, column, text)


def compose(data: bytes) -> yaml.MappingNode:
    """Read the bytes of a recipe as one YAML mapping."""
    loader = _Loader(_decode(data))
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _in_words(error) from None
    except (ValueError, OverflowError):  # PyYAML converts escapes such as "\UFFFFFFFF" unchecked
        mark = loader.get_mark()
        raise _at(mark, "holds an escape or a number that YAML does not know; correct it") from None
    finally:
        loader.dispose()
    if node is None:
        raise SourceError(1, 1, "is empty; write at least `version: 1` and `release: {path: …}`")
    if not isinstance(node, yaml.MappingNode):
        raise _at(node.start_mark, "a recipe is a mapping; begin with the line `version: 1`")
    return node


def _decode(data: bytes) -> str:
    if len(data) > LARGEST:
        raise SourceError(1, 1, "is larger than 1 MiB; is this the recipe? name another file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        raise SourceError(*_end(before), "is not UTF-8 text; save the file as UTF-8") from None
    if found := _NO_TEXT.search(text):
        code = f"U+{ord(found[0]):04X}"
        place = _end(text[: found.start()])
        raise SourceError(*place, f"holds the control character {code}; is this a text file?")
    return text


def _end(text: str) -> tuple[int, int]:
    """Line and column of what follows the text."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _at(
                event.start_mark,
                "anchors (&) and aliases (*) are not read; write the value out,"
                " or put text that begins with & or * in quotes",
            )
        if getattr(event, "tag", None):
            raise _at(
                event.start_mark,
                "tags (!) are not read; remove it, or put text that begins with ! in quotes",
            )
        if self._depth == _DEEPEST:
            raise _at(event.start_mark, "is nested too deeply for a recipe; remove the brackets")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",  # .inf and .nan stay text
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first
    )


# What PyYAML says (a part of it), and what a user can do about it.
_WORDS = (
    ("found character '\\t'", "a tab stands where YAML wants spaces; replace it with spaces"),
    ("found a tab", "a tab stands where YAML wants spaces; replace it with spaces"),
    ("cannot start any token", "a value cannot begin with this character; put the text in quotes"),
    (
        "mapping values are not allowed",
        "a `:` too many, or a wrong indentation; line the keys up, and put text that holds `: `"
        " in quotes",
    ),
    (
        "expected <block end>",
        "does not fit the lines above; line up the keys of one mapping, and put text that goes on"
        " after a closing quote or bracket in quotes as a whole",
    ),
    ("could not find expected ':'", "the line above is no `key: value`; add the `:` and a space"),
    ("expected ',' or ']'", "a list that begins with [ goes wrong here; add the `,` or the `]`"),
    ("expected ',' or '}'", "a mapping that begins with { goes wrong here; add the `,` or the `}`"),
    ("unexpected end of stream", "the quotes opened here are never closed; close them"),
    ("unexpected document separator", "the quotes opened here are never closed; close them"),
    (
        "unknown escape character",
        "a backslash in double quotes begins an escape; use single quotes, or write \\\\",
    ),
    ("expected escape sequence", "the escape after this backslash is not whole; use single quotes"),
    (
        "but found another document",
        "a second document begins here; a recipe is one, so remove the `---` and what follows",
    ),
)


def _in_words(error: yaml.MarkedYAMLError) -> SourceError:
    problem = error.problem or ""
    words = next((words for part, words in _WORDS if part in problem), None)
    mark = error.problem_mark or error.context_mark
    if words and "opened here" in words:
        mark = error.context_mark or mark
    return _at(mark, words or f"is not YAML ({problem}); correct it, or put text in quotes")


def _at(mark: yaml.Mark | None, text: str) -> SourceError:
    if mark is None:
        return SourceError(1, 1, text)
    return SourceError(mark.line + 1, mark.column + 1, text)
