"""The JSON Schema for editors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
import yaml

from imagesmith.errors import RecipeError
from imagesmith.recipe import Recipe
from imagesmith.recipe.parse import parse
from imagesmith.recipe.schema import schema

SHOP = Path(__file__).parents[2] / "recipes/shop.yml"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def properties(part: object, place: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    """Every key that the schema knows, with its place."""
    if isinstance(part, list):
        for item in part:
            yield from properties(item, place)
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "properties":
                yield from ((f"{place}.{name}", inner) for name, inner in value.items())
            yield from properties(value, f"{place}.{key}")


def test_the_schema_is_a_valid_schema_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema()["title"] == "imagesmith recipe"


def test_every_key_has_a_description_and_none_takes_null() -> None:
    found = dict(properties(schema()))
    assert {f".{field.name}" for field in fields(Recipe)} <= set(found)
    assert [place for place, part in found.items() if not part.get("description")] == []
    assert "null" not in json.dumps(schema())


def test_the_defaults_that_shop_yml_shows_as_comments_are_the_defaults(tmp_path: Path) -> None:
    """Uncommenting what is called a default changes nothing."""
    text = SHOP.read_text()
    (tmp_path / "rel").mkdir()
    start = "version: 1\nrelease: {path: rel}\n"
    shown = ["base: minimal", 'user: "65532:65532"', "stop_timeout: 30"]
    sections = {
        "layers": ["max: 40", "strip: auto", "canonical: true", "own: []"],
        "compare": ["connections: 200", "rate: 50", "replicas: 2"],
        "pet": ["volume: /upgrades", "versioning: manual"],
    }
    for line in shown:
        assert f"# {line}" in text
    for section, lines in sections.items():
        assert f"# {section}:" in text
        for line in lines:
            assert f"#   {line}" in text
        shown.append(f"{section}:\n  " + "\n  ".join(lines))
    plain = parse(start.encode(), "r.yml", tmp_path)
    assert parse((start + "\n".join(shown)).encode(), "r.yml", tmp_path) == plain


@pytest.mark.parametrize(
    "line",
    [
        "base: minimal", "base: debian:12", "base: {minimal: {}}",
        "base: {minimal: {sysroot: oci:x}}",
        "base: {dockerfile: D, target: t, packages: [a]}", "cmd: start", "cmd: [a, b]",
        "env: {A: 1, B: 1.5, C: x}", "ports: [1, 53/udp]", "user: 0", "user: '1:2'",
        "labels: {a: b}", "layers: {max: 8, strip: never, canonical: false, own: [a]}",
        "pet: {volume: /v, appups: a/, versioning: auto}", "probe: {http: /, port: 1}",
        "probe: {tcp: 1}", "probe: {websocket: /, port: 1}", "probe: {rpc: x}", "stop_timeout: 1",
    ],
)  # fmt: skip
def test_the_schema_accepts_every_form(line: str) -> None:
    VALIDATOR.validate(yaml.safe_load(f"version: 1\nrelease: {{path: x}}\n{line}"))


@pytest.mark.parametrize(
    "line",
    [
        "nmae: shop", "name: Shop", "releases: {a: {path: x}}", "source: {dockerfile: D, path: /x}",
        "base: {}", "base: 1", "base: {minimal: {sysrot: /}}",
        "base: {dockerfile: D, packages: [-y]}",
        "cmd: 1", "cmd: []", "cmd: [1]", "env: {A: true}", "env: {A: null}", "env: {A-B: x}",
        "env: {RELEASE_COOKIE: x}", "ports: [0]", "ports: [65536]", "ports: ['80:80']", "ports: 1",
        "user: root", "user: -1", "labels: {a: 1}", "layers: {max: 7}", "layers: {strip: true}",
        "layers: {own: a}", "pet: {volume: v}", "pet: {versioning: x}", "pet: null", "probe: {}",
        "probe: {http: /}", "probe: {http: /, tcp: 1}", "stop_timeout: 0", "stop_timeout: 30s",
    ],
)  # fmt: skip
def test_the_schema_refuses_the_mistakes_that_a_schema_can_know(line: str) -> None:
    text = f"version: 1\nrelease: {{path: x}}\n{line}"
    assert not VALIDATOR.is_valid(yaml.safe_load(text))
    with pytest.raises(RecipeError):
        parse(text.encode(), "r.yml", Path("/nowhere"))


def test_the_schema_wants_a_version_and_a_release() -> None:
    for text in ("version: 1", "release: {path: x}", "version: 2\nrelease: {path: x}"):
        assert not VALIDATOR.is_valid(yaml.safe_load(text))


def test_importing_the_recipe_brings_nothing_heavy() -> None:
    code = "import sys, imagesmith.recipe; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in modules if name.startswith("imagesmith.")}
    assert all(name.startswith(("imagesmith.recipe", "imagesmith.errors")) for name in ours)
    heavy = {
        "pydantic",
        "yaml",
        "argparse",
        "rich",
        "docker",
        "python_on_whales",
        "requests",
        "difflib",
    }
    assert not heavy & set(modules)
