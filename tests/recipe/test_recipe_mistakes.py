"""What a user reads when a recipe is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagesmith.errors import RecipeError
from imagesmith.recipe import Recipe
from imagesmith.recipe.load import load
from imagesmith.recipe.parse import parse

NO_RELEASE = "release: is missing; add `release: {path: …}` (or `releases: …`, or `source: …`)"


def problems(text: str | bytes, folder: Path) -> list[str]:
    """The mistakes of a recipe named r.yml, without that name."""
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(RecipeError) as caught:
        parse(data, "r.yml", folder)
    assert all(problem.startswith("r.yml:") for problem in caught.value.problems)
    return [problem.removeprefix("r.yml:") for problem in caught.value.problems]


def test_ten_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yml"
    recipe.write_text(
        """\
# A shop that nobody could build.
version: 1
nmae: shop
release:
  path: nowhere
env:
  DEBUG: true
  RELEASE_COOKIE: monster
ports: [4000, 80:80]
user: root
layers:
  max: many
  strip: sometimes
  max: 20
probe: {http: /}
"""
    )
    with pytest.raises(RecipeError) as caught:
        load(recipe)
    assert str(caught.value) == "\n".join(
        f"{recipe}:{line}"
        for line in (
            "3:1: nmae: unknown key; did you mean `name`?",
            f"5:9: release.path: there is nothing at {tmp_path.resolve()}/nowhere; build the"
            " release first (MIX_ENV=prod mix release) or correct the path",
            '7:10: env.DEBUG: wants text, not true; put it in quotes: "true"',
            "8:3: env.RELEASE_COOKIE: is a secret, and everybody who has the image could read it;"
            " remove it, and give it when the container runs: docker run -e RELEASE_COOKIE,"
            " or a mounted secret file",
            "9:15: ports[1]: publishes a port, which is decided when the container runs"
            " (docker run -p); write the container's port alone, for example ports: [4000]",
            "10:7: user: wants UID or UID:GID in numbers (a base need not know a name), not the"
            " text 'root'; write for example `user: \"65532:65532\"`",
            "12:8: layers.max: wants a whole number from 8 to 120, not the text 'many';"
            " write for example `max: 40`",
            "13:10: layers.strip: wants auto, always or never, not the text 'sometimes';"
            " write for example `strip: auto`",
            "14:3: layers.max: stands here again, first on line 12; keep one",
            "15:1: probe.port: is missing; add `port: …` (the container's port)",
        )
    )


def test_a_duplicate_key_names_the_line_of_the_first(tmp_path: Path) -> None:
    assert problems("version: 1\nrelease: {path: .}\nname: a\n\nname: b\n", tmp_path) == [
        "5:1: name: stands here again, first on line 3; keep one"
    ]


def test_an_unknown_key_that_resembles_none_gets_the_list_of_keys(tmp_path: Path) -> None:
    text = "version: 1\nrelease: {path: .}\nlayers: {zzz: 1}\npet: {kennel: 2}\n"
    assert problems(text, tmp_path) == [
        "3:10: layers.zzz: unknown key; the keys here are max, strip, canonical, own",
        "4:7: pet.kennel: unknown key; the keys here are volume, appups, versioning, "
        "before_upgrade, after_upgrade",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "base: {minimal: {sysrot: /}}",
            "3:18: base.minimal.sysrot: unknown key; did you mean `sysroot`?",
        ),
        (
            "probe: {http: /, prot: 1, port: 2}",
            "3:18: probe.prot: unknown key; did you mean `port`?",
        ),
        ("layers: {stripe: auto}", "3:10: layers.stripe: unknown key; did you mean `strip`?"),
    ],
)
def test_a_misspelt_key_deep_in_the_recipe_gets_a_suggestion(
    text: str, problem: str, tmp_path: Path
) -> None:
    assert problems(f"version: 1\nrelease: {{path: .}}\n{text}\n", tmp_path) == [problem]


def test_a_recipe_has_one_of_release_releases_and_source(tmp_path: Path) -> None:
    assert problems("# a shop\n\nversion: 1\n", tmp_path) == [f"3:1: {NO_RELEASE}"]
    both = "version: 1\nrelease: {path: .}\nreleases: {a: {path: .}}\n"
    assert problems(both, tmp_path) == [
        "3:1: releases: stands beside `release` on line 2; keep one of the two"
    ]


def test_the_two_release_keys_are_told_beside_other_mistakes(tmp_path: Path) -> None:
    text = "version: 1\nrelease: {path: .}\nreleases: {a: {}}\nname: 7\n"
    assert [problem.split(": ")[1] for problem in problems(text, tmp_path)] == [
        "releases",
        "releases.a.path",
        "name",
    ]


def test_a_missing_version_is_told_with_what_it_is(tmp_path: Path) -> None:
    assert problems("release: {path: .}\n", tmp_path) == [
        "1:1: version: is missing; add `version: …` (the version of the recipe format: 1)"
    ]


def test_a_key_without_value_is_told_once_and_never_means_the_default(tmp_path: Path) -> None:
    text = "version: 1\nrelease: {path: .}\nlayers:\ncmd: ~\nunknown:\n"
    assert problems(text, tmp_path)[:2] == [
        "3:8: layers: has no value; write one or remove the key",
        "4:6: cmd: has no value; write one or remove the key",
    ]
    assert len(problems(text, tmp_path)) == 3


def test_columns_count_characters_and_not_bytes(tmp_path: Path) -> None:
    text = "version: 1\nrelease: {path: .}\nlabels: {städte: 1}\n"
    assert problems(text, tmp_path) == [
        '3:18: labels.städte: wants text, not the number 1; put it in quotes: "1"'
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "1:1: is empty; write at least `version: 1` and `release: {path: …}`"),
        (b"# nothing\n", "1:1: is empty; write at least `version: 1` and `release: {path: …}`"),
        (b"- a\n", "1:1: a recipe is a mapping; begin with the line `version: 1`"),
        (b"version: \0\n", "1:10: holds the control character U+0000; is this a text file?"),
        (b"\x7fELF\x02\x01", "1:1: holds the control character U+007F; is this a text file?"),
        (b"version: 1\nname: caf\xe9\n", "2:10: is not UTF-8 text; save the file as UTF-8"),
        (b"\xff\xfev\0", "1:1: is not UTF-8 text; save the file as UTF-8"),
        (b"a: 1\n" * 300_000, "1:1: is larger than 1 MiB; is this the recipe? name another file"),
        (b"env:\n\tA: b\n", "2:1: a tab stands where YAML wants spaces; replace it with spaces"),
        (
            b"version: 1\n---\nversion: 1\n",
            "2:1: a second document begins here; a recipe is one, so remove the `---` and what"
            " follows",
        ),
        (b"name: 'shop\nversion: 1\n", "1:7: the quotes opened here are never closed; close them"),
        (
            b"ports: [4000\nuser: 1\n",
            "2:5: a list that begins with [ goes wrong here; add the `,` or the `]`",
        ),
        (
            b"env: {A: b\nuser: 1\n",
            "2:5: a mapping that begins with { goes wrong here; add the `,` or the `}`",
        ),
        (b"name: @shop\n", "1:7: a value cannot begin with this character; put the text in quotes"),
        (
            b'cmd: "\\d"\n',
            "1:8: a backslash in double quotes begins an escape; use single quotes, or write \\\\",
        ),
        (
            b"cmd: !!python/name:os.system\n",
            "1:6: tags (!) are not read; remove it, or put text that begins with ! in quotes",
        ),
        (b"a: [" + b"[" * 9999, "1:23: is nested too deeply for a recipe; remove the brackets"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_plain_line(
    text: bytes, problem: str, tmp_path: Path
) -> None:
    assert problems(text, tmp_path) == [problem]


@pytest.mark.parametrize("text", ["a: &x [1]\n", "a: *x\n", "a: &x [*x]\n"])
def test_anchors_and_aliases_are_refused_so_none_can_expand(text: str, tmp_path: Path) -> None:
    (problem,) = problems(text, tmp_path)
    assert problem.startswith("1:4: anchors (&) and aliases (*) are not read; write the value out")


def test_every_mistake_is_one_printable_line(tmp_path: Path) -> None:
    for problem in problems('"a\\nb\\e": 1\n"x\\0": 1\nname: "\\uD800"\n', tmp_path):
        assert problem.isprintable()


def test_on_yes_and_no_are_text_as_yaml_1_2_has_it(tmp_path: Path) -> None:
    text = (
        b"version: 1\nrelease: {path: .}\nenv: {on: yes, A: off, B: NO, C: 2024-01-01, D: 1:30}\n"
    )
    env = parse(text, "r.yml", tmp_path).env
    assert env == {"on": "yes", "A": "off", "B": "NO", "C": "2024-01-01", "D": "1:30"}


def test_a_file_that_cannot_be_read_is_a_recipe_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yml", tmp_path):
        with pytest.raises(RecipeError, match=r": cannot be read \(.+\); correct the path"):
            load(path)


SNIPPETS = [
    "version: 1\n", "release: {path: .}\n", "releases:\n  a: {path: .}\n", "source: {command: x}\n",
    "base: oci:x\n", "base: {minimal: {sysroot: x}}\n", "cmd: [a, 1]\n", "env: {A: 0x1F, 1: ~}\n",
    "ports: [1/udp, 70000]\n", "user: 99999999999\n", "labels: {a: .5}\n", "layers: {own: [A]}\n",
    "pet: {volume: /..}\n", "probe: {tcp: 1, rpc: x}\n", "stop_timeout: 1e3\n", "? [a]\n: b\n",
    "name: " + "9" * 5000 + "\n", '"\\uD800": "\\0"\n', "env: {[key]: 1}\n", "env: {'[key]': x}\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.lists(st.sampled_from(SNIPPETS), max_size=8).map(lambda parts: "".join(parts).encode())
    | st.text("ab: -[]{},#\n\"'|>&*!%?\\U0\t", max_size=60).map(str.encode)
)
@example(b'a: "\\UFFFFFFFF"')
@example(b"%YAML 1." + b"9" * 5000 + b"\n---\n")
@example(b"stop_timeout: " + b"9" * 5000)
def test_any_bytes_are_a_recipe_or_a_recipe_error(text: bytes) -> None:
    try:
        assert isinstance(parse(text, "r.yml", Path("/nowhere")), Recipe)
    except RecipeError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.startswith("r.yml:")
            assert problem.isprintable()
            assert "Input should be" not in problem
            assert "is not understood" not in problem
