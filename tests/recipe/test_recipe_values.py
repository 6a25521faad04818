"""The grammar and the values that it makes have one shape."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from inspect import getmembers, isclass
from pathlib import Path
from typing import Annotated, Union, get_args, get_origin, get_type_hints

import pytest

from imagesmith.recipe import recipe as values
from imagesmith.recipe.grammar import base, compare, probe, recipe, release
from imagesmith.recipe.grammar.section import Section, value_of

SECTIONS = sorted(
    {
        section
        for module in (base, compare, probe, recipe, release)
        for _, section in getmembers(module, isclass)
        if issubclass(section, Section) and section not in (Section, base.MinimalForm)
    },
    key=lambda section: section.__name__,
)


def plain(annotation: object) -> object:
    """What a type of the grammar is among the values."""
    if get_origin(annotation) is Annotated:
        return plain(get_args(annotation)[0])
    if isclass(annotation) and issubclass(annotation, Section):
        return annotation.makes
    if get_origin(annotation) in (Union, types.UnionType):
        found = map(plain, get_args(annotation))
        return frozenset().union(*(one if isinstance(one, frozenset) else {one} for one in found))
    if isclass(get_origin(annotation)) and get_origin(annotation) in (tuple, Mapping):
        return (get_origin(annotation), *map(plain, get_args(annotation)))
    return annotation


def made_by(section: type[Section]) -> type:
    assert isclass(section.makes)
    return section.makes


def test_every_value_is_made_by_one_section() -> None:
    classes = {found for _, found in getmembers(values, isclass) if is_dataclass(found)}
    assert sorted(made_by(section).__name__ for section in SECTIONS) == sorted(
        found.__name__ for found in classes
    )


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: str(section.__name__))
def test_a_value_has_the_keys_types_and_defaults_of_its_section(section: type[Section]) -> None:
    made = made_by(section)
    grammar, value = section.model_fields, {field.name: field for field in fields(made)}
    assert list(grammar) == list(value)
    written, stored = get_type_hints(section, include_extras=True), get_type_hints(made)
    for name, field in value.items():
        assert plain(written[name]) == plain(stored[name])
        if grammar[name].is_required():
            assert field.default is field.default_factory is MISSING
        else:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            assert value_of(grammar[name].get_default()) == default


def test_a_shape_that_differs_is_seen() -> None:
    assert plain(Annotated[Path, "rule"] | None) != plain(str | None)
    assert plain(Mapping[str, base.LayoutBase]) == plain(Mapping[str, values.LayoutBase])
    assert plain(tuple[int, ...]) != plain(tuple[str, ...])
