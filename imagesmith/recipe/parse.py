"""Makes a recipe of YAML, and tells all of its mistakes at once, each with its place.

`source` gives YAML nodes. They become plain values for the grammar, while the place of every key
and value is kept; what the grammar then says about a value is told at that value's place.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from imagesmith.errors import RecipeError
from imagesmith.recipe.disk import Disk
from imagesmith.recipe.file import one_line
from imagesmith.recipe.grammar import recipe as grammar
from imagesmith.recipe.grammar.section import value_of
from imagesmith.recipe.recipe import RELEASE_KEYS, Recipe
from imagesmith.recipe.schema import Place, description_at, keys_at
from imagesmith.recipe.source import Mistake, SourceError, compose

__all__ = ["parse", "validate"]

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

_LONGEST_INT = 30  # digits; int() refuses thousands of them, and no key takes so many
_LONGEST_SHOWN = 40  # characters of a wrong value


def parse(text: bytes, name: str, folder: Path) -> Recipe:
    """Read the bytes of a recipe; its relative paths count from `folder`, which is absolute.

    Looks at the disk only to see whether the paths in the recipe lead to something. `name` is
    the file's name in the mistakes that a RecipeError lists.
    """
    return validate(text, name, Disk(folder))


def validate(text: bytes, name: str, disk: Disk) -> Recipe:
    """As `parse`; `disk` then knows what was looked at."""
    try:
        reading = _Reading(compose(text))
    except SourceError as error:
        raise _error(name, [error.mistake]) from None
    try:
        found = grammar.Recipe.model_validate(reading.value, context=disk)
    except ValidationError as error:
        raise _error(name, reading.mistakes(error.errors())) from None
    if mistakes := reading.mistakes([]):
        raise _error(name, mistakes)
    recipe = value_of(found)
    assert isinstance(recipe, Recipe)
    return recipe


def _error(name: str, mistakes: list[Mistake]) -> RecipeError:
    return RecipeError([one_line(f"{name}:{m.line}:{m.column}: {m.text}") for m in mistakes])


class _Reading:
    """A recipe's plain value, the place of each key and value, and the mistakes of its YAML."""

    def __init__(self, top: yaml.MappingNode) -> None:
        self._keys: dict[Place, yaml.Node] = {}
        self._values: dict[Place, yaml.Node] = {}
        self._found: list[tuple[Place, Mistake]] = []
        self._unusable: set[Place] = set()  # told already; what the grammar says on it is noise
        self.value = self._plain(top, ())

    # --- from YAML nodes to plain values ---

    def _plain(self, node: yaml.Node, place: Place) -> Value:
        self._values[place] = node
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*place, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._find(key, (*place, "?"), "a key is a word; write it without brackets")
                continue
            name: str = key.value  # as it is written: `env: {1: x}` is about a variable "1"
            inner = (*place, name)
            if _unwritable(name):
                self._find(key, inner, "holds a character that cannot be stored; remove the escape")
            elif first := self._keys.get(inner):
                line = first.start_mark.line + 1
                self._find(key, inner, f"stands here again, first on line {line}; keep one")
            else:
                self._keys[inner] = key
                mapping[name] = self._plain(value, inner)
        return mapping

    def _scalar(self, node: yaml.Node, place: Place) -> Value:
        text = str(node.value)
        kind = _kind(node)
        if kind == "null":
            self._unusable.add(place)
            of_texts = len(place) > 1 and place[0] in ("env", "labels")
            remedy = f'put it in quotes: "{text}"' if of_texts else "write one or remove the key"
            self._find(node, place, f"has no value; {remedy}")
            return None
        if _unwritable(text):
            self._unusable.add(place)
            self._find(node, place, "holds a character that cannot be stored; remove the escape")
            return None
        if kind == "bool":
            return text.lower() == "true"
        if place[0] == "env":
            return text  # a number as it is written: 010 is not 10, and 1.10 is not 1.1
        if kind == "int" and len(text) <= _LONGEST_INT:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        return float(text) if kind == "float" else text

    def _find(self, node: yaml.Node, place: Place, text: str) -> None:
        self._found.append((place, _mistake(node, place, text)))

    # --- mistakes ---

    def mistakes(self, errors: list[ErrorDetails]) -> list[Mistake]:
        """Everything that is wrong, in the order of the file: here and by the grammar."""
        unknown = {error["loc"] for error in errors if error["type"] == "extra_forbidden"}
        found = [mistake for place, mistake in self._found if not _is_within(place, unknown)]
        found += self._release_keys()
        for error in errors:
            place = error["loc"]
            if place in unknown or not _is_within(place, self._unusable):
                found.append(self._told(error))
        return sorted(set(found))

    def _release_keys(self) -> list[Mistake]:
        given = [key for key in self._keys if len(key) == 1 and key[0] in RELEASE_KEYS]
        if not given:
            text = "is missing; add `release: {path: …}` (or `releases: …`, or `source: …`)"
            return [_mistake(self._values[()], ("release",), text)]
        first, *others = given
        line = self._keys[first].start_mark.line + 1
        text = f"stands beside `{first[0]}` on line {line}; keep one of the two"
        return [_mistake(self._keys[key], key, text) for key in others]

    def _told(self, error: ErrorDetails) -> Mistake:
        place = error["loc"]
        context = error.get("ctx", {})
        if error["type"] == "extra_forbidden":
            return _mistake(self._keys[place], place, _unknown_key(place))
        if error["type"] == "missing":  # the best place is the key of the mapping that lacks it
            above = place[:-1]
            node = self._keys.get(above, self._values[above])
            meaning = description_at(place).rstrip(".")
            meaning = meaning[:1].lower() + meaning[1:]
            return _mistake(node, place, f"is missing; add `{place[-1]}: …` ({meaning})")
        if place not in self._values and place[-1] == "[key]":  # pydantic's mark for a key
            place = place[:-1]
            node = self._keys[place]
        else:
            node = self._values[place]
        if error["type"] == "wants":
            remedy = f"write for example `{context['write']}`"
            if context["what"] == "text" and isinstance(node, yaml.ScalarNode):
                remedy = f'put it in quotes: "{node.value}"'
            text = f"wants {context['what']}, not {_in_words(node)}; {remedy}"
            return _mistake(node, place, text)
        return _mistake(node, place, context.get("text", "is not understood; remove it"))


def _mistake(node: yaml.Node, place: Place, text: str) -> Mistake:
    label = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    mark = node.start_mark
    return Mistake(mark.line + 1, mark.column + 1, f"{label.removeprefix('.')}: {text}")


def _unknown_key(place: Place) -> str:
    import difflib  # only a recipe with mistakes pays for it

    known = keys_at(place[:-1])
    close = difflib.get_close_matches(str(place[-1])[:50], known, n=1)
    if close:
        return f"unknown key; did you mean `{close[0]}`?"
    return f"unknown key; the keys here are {', '.join(known)}"


def _in_words(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    text = node.value if len(node.value) <= _LONGEST_SHOWN else f"{node.value[:_LONGEST_SHOWN]}…"
    match _kind(node):
        case "int" | "float":
            return f"the number {text}"
        case "bool":
            return str(text)
    return f"the text '{text}'" if text else "an empty text"


def _kind(node: yaml.Node) -> str:
    """`int` for the tag `tag:yaml.org,2002:int`."""
    return str(node.tag).rpartition(":")[2]


def _is_within(place: Place, others: set[Place]) -> bool:
    return any(place[:length] in others for length in range(1, len(place) + 1))


def _unwritable(text: str) -> bool:
    """NUL ends a text for every system call, and half a surrogate pair has no UTF-8."""
    return any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)
