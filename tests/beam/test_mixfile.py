"""What is read of a mix.exs, and what is not: it is never run."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagesmith.beam.elixir import read_elixir
from imagesmith.beam.mixfile import MixProject, read_mix_project
from imagesmith.errors import UsageError


def read(text: str) -> MixProject:
    return read_mix_project(text.encode(), "mix.exs")


def project(settings: str, rest: str = "") -> MixProject:
    return read(
        f"defmodule Shop.MixProject do\n  use Mix.Project\n  def project do\n    [app: :shop,"
        f" {settings}]\n  end\n{rest}\nend\n"
    )


def paths(found: MixProject) -> dict[str, str] | None:
    if found.releases is None:
        return None
    return {release.name: release.path for release in found.releases}


ONE = {"shop": "_build/prod/rel/shop"}
# fmt: off
FORMS: dict[str, tuple[str, dict[str, str] | None]] = {
    "none": ("version: \"1\"", ONE),
    "an empty list": ("releases: []", ONE),
    "one": ("releases: [web: []]", {"web": "_build/prod/rel/web"}),
    "options": (
        'releases: [web: [version: "9.9", include_executables_for: [:unix], '
        "steps: [:assemble, :tar], applications: [web: :permanent]]]",
        {"web": "_build/prod/rel/web"}),
    "a path": ('releases: [web: [path: "/opt/rel/web"]]', {"web": "/opt/rel/web"}),
    "a path after others": (
        'releases: [web: [applications: [path: :permanent], path: "../out"]]', {"web": "../out"}),
    "quoted names": ('releases: ["web": [], "worker": []]',
        {"web": "_build/prod/rel/web", "worker": "_build/prod/rel/worker"}),
    "tuples": ('releases: [{:web, [path: "w"]}, {:worker, []}]',
        {"web": "w", "worker": "_build/prod/rel/worker"}),
    "one after another in lines": ("releases: [\n web:\n [\n ],\n # worker: [],\n all: [\n]\n]",
        {"web": "_build/prod/rel/web", "all": "_build/prod/rel/all"}),
    "the first of equal names": ('releases: [web: [path: "a"], web: [path: "b"]]', {"web": "a"}),
    "from_app": ("releases: [web: [version: {:from_app, :shop}]]", {"web": "_build/prod/rel/web"}),
    "a build_path": ('build_path: "../../_build", releases: [web: []]',
        {"web": "../../_build/prod/rel/web"}),
    "one build for all": ("build_per_environment: false", {"shop": "_build/shared/rel/shop"}),
    "a default": ("releases: [web: [], worker: []], default_release: :web",
        {"web": "_build/prod/rel/web", "worker": "_build/prod/rel/worker"}),
}
# fmt: on


@pytest.mark.parametrize(("settings", "expected"), FORMS.values(), ids=list(FORMS))
def test_what_is_plainly_written_is_read_without_a_doubt(
    settings: str, expected: dict[str, str] | None
) -> None:
    found = project(settings)
    assert paths(found) == expected
    assert (found.app, found.doubts) == ("shop", ())


WEB = {"web": "_build/prod/rel/web"}
# fmt: off
INDIRECT: dict[str, tuple[str, str, dict[str, str]]] = {
    "a function": ("releases: releases()", "defp releases do\n[web: []]\nend", WEB),
    "with parentheses": ("releases: releases()", "defp releases() do\n[\n  web: []\n]\nend", WEB),
    "without": ("releases: releases", "defp releases do [web: []] end", WEB),
    "on one line": ("releases: releases()", "defp releases, do: [web: []]\ndefp x, do: []", WEB),
    "an attribute": ("releases: @rel", "@rel [web: []]", WEB),
    "both": ("releases: r()", "@rel [web: []]\n@doc false\n  def r() do\n    @rel\n  end", WEB),
    "after other lines": (
        "releases: r()", "defp r do\n  x = f(1)\n  IO.puts(x)\n  [web: []]\nend", WEB),
    "options": ("releases: [web: web()]", "defp web, do: [path: @p]\n@p \"p\"", {"web": "p"}),
    "an attribute for the app": ("releases: []", "@app :other", ONE),
}
# fmt: on


@pytest.mark.parametrize(("settings", "rest", "expected"), INDIRECT.values(), ids=list(INDIRECT))
def test_literals_are_followed_to_attributes_and_functions(
    settings: str, rest: str, expected: dict[str, str]
) -> None:
    found = project(settings, rest)
    assert paths(found) == expected
    assert found.doubts == ()


# fmt: off
DOUBTS: dict[str, tuple[str, str, dict[str, str] | None, str]] = {
    "a call": ("releases: Rel.all()", "", None, "its `releases:` are made by code"),
    "a function with a pipe": ("releases: r()", "defp r, do: [web: []] |> Enum.map(& &1)",
        WEB, "code makes a part of its `releases:`"),
    "a pipe on the next line": ("releases: r()", "defp r do\n[web: []]\n|> Enum.map(& &1)\nend",
        WEB, "code makes a part of its `releases:`"),
    "a function that adds": ("releases: [web: []] ++ more()", "",
        WEB, "code makes a part of its `releases:`"),
    "a function with two clauses": ("releases: r()", "defp r do\n[]\nend\ndefp r do\n[a: []]\nend",
        None, "its `releases:` are made by code"),
    "a function with a guard": ("releases: r()", "defp r() when true do\n[a: []]\nend",
        None, "its `releases:` are made by code"),
    "a branch": ("releases: r()", "defp r do\nif x do\n[a: []]\nelse\n[b: []]\nend\nend",
        None, "its `releases:` are made by code"),
    "a round": ("releases: r()", "defp r, do: r()", None, "its `releases:` are made by code"),
    "for": ("releases: (for a <- [:a], do: {a, []})", "", None, "its `releases:` are made by code"),
    "options from a call": ("releases: [web: opts(:web)]", "", WEB, "code makes options of web"),
    "a function of options": (
        "releases: [web: fn -> [path: \"x\"] end]", "", WEB, "options of web"),
    "a path from a call": (
        'releases: [web: [path: Path.join("a", "b")]]', "", WEB, "options of web"),
    "a path with a hole": ('releases: [web: [path: "a/#{x()}"]]', "", WEB, "options of web"),
    "a path with an escape": (r'releases: [web: [path: "a\n"]]', "", WEB, "options of web"),
    "options with more": ("releases: [web: [a: 1] ++ common()]", "", WEB, "options of web"),
    "a build_path from code": ("build_path: System.get_env(\"B\")", "", ONE, "`build_path:`"),
}
# fmt: on


@pytest.mark.parametrize(("settings", "rest", "expected", "doubt"), DOUBTS.values(), ids=DOUBTS)
def test_what_only_running_would_tell_is_a_doubt(
    settings: str, rest: str, expected: dict[str, str] | None, doubt: str
) -> None:
    found = project(settings, rest)
    assert paths(found) == expected
    assert len(found.doubts) == 1
    assert doubt in found.doubts[0]


def test_settings_that_code_makes() -> None:
    found = read("defmodule M do\ndef project, do: Keyword.merge(base(), app: :shop)\nend")
    assert (found.app, found.releases, len(found.doubts)) == (None, None, 1)
    found = read("defmodule M do\ndef project do\n[app: :shop] ++ base()\nend\nend")
    assert (found.app, found.releases, len(found.doubts)) == ("shop", None, 1)


HIDING = [
    "# releases: [evil: []]",
    '"releases: [evil: []]"',
    '"\\" #{"#{f("]")} ]"} releases: [evil: []]"',
    '"""\n  ] "x" \\""" releases: [evil: []]\n  """',
    "'''\n] end\n'''",
    "~s(releases: [evil: []] \\) end)",
    "~S[#{ ] ",
    '~r/[\\/"]/u',
    "~w[a b #{[1]} c]a",
    '~S"""\n#{ " ] end\n"""',
    "~MD|]|",
    '[?], ?[, ?", ?\\s, ?\\\\, ?#]',
    ":end",
    ':"] end"',
    ":<<>>",
    "%{end: 1, do: 2, fn: 3}",
    "<<1::8, x::binary>>",
    "fn x -> if x do 1 else 2 end end",
    "Foo.end(1)",
    "(1 >>> 2) <<< 3",
    "a?(x!) && !b",
    "f(&{&1, :permanent})",
    "1_000.5e3",
]


@pytest.mark.parametrize("hiding", HIDING)
def test_no_text_misleads(hiding: str) -> None:
    if hiding == "~S[#{ ] ":
        hiding = hiding.strip()
    rest = f"defp x do\n{hiding}\nend"
    found = project(f"x: 1, docs: [a:\n{hiding}\n], releases: [web: []]", rest)
    assert (paths(found), found.doubts) == (WEB, ())


def test_dependencies_are_those_that_are_no_comment() -> None:
    found = project(
        "deps: deps()",
        'defp deps do\n[{:phoenix, "~> 1.7"}, # {:ecto, "3"}\n{:dep, only: :dev}, "{:no, 1}"]\nend',
    )
    assert found.dependencies == {"phoenix", "dep"}


def test_the_module_with_the_project_is_found() -> None:
    found = read(
        "defmodule Helper do\n  def version, do: 1\nend\n\n"
        "if true do\ndefmodule My.MixProject do\ndef project(), do: [app: :shop]\nend\nend"
    )
    assert paths(found) == ONE


def test_an_umbrella() -> None:
    found = read('defmodule U do\n def project do\n [apps_path: "apps", version: "1"]\n end\nend')
    assert (found.app, found.apps_path, found.releases) == (None, "apps", ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no `def project"),
        ("defmodule M do\nend", "no `def project"),
        ("defmodule M do", "mix.exs:1: `do` is never closed"),
        ("\n]", "mix.exs:2: there is a `]` too many"),
        ("(\n]", "mix.exs:2: there is a `]` too many, which is to close `(` of line 1"),
        ('\n"abc', "mix.exs:2: the text that begins here has no end"),
        ('"a #{ b', "`#{` is never closed"),
        ('"""\nabc', "has no end"),
        ("a\0b", "this is no text"),
        ("\ud800", "this is no text"),
        ("defmodule M do\ndef project, do: [app: :M]\nend", "mix takes only names"),
        (
            'defmodule M do\ndef project, do: [app: :a, releases: ["a b": []]]\nend',
            "mix takes only",
        ),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_mix_project(text.encode(errors="surrogatepass"), "mix.exs")
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_deep_nesting_is_no_stack_overflow() -> None:
    for opening, closing in [("[", "]"), ("do ", "end "), ('"#{', '}"'), ("{:a, ", "}")]:
        read_elixir((opening * 20_000 + closing * 20_000).encode(), "mix.exs")


# fmt: off
PIECES = st.sampled_from([
    "defmodule M do\n", "def project do\n", "end\n", "end", "[", "]", "{", "}", '"', "#{", "\\",
    "'", "app: :shop", ", ", "releases: ", "web: ", "[]", "@a ", "@", "\n", "~s(", ")", ":", "?",
    '"""\n', "defp a, do: ", "a()", "a", ";", "|>", "++", "path: ", '"x"', " ", "fn ", "->", "# ",
    "é", "<<", ">>",
])
# fmt: on


@given(st.lists(PIECES, max_size=40).map("".join) | st.text())
@example("defmodule M do\ndef project do\nend\nend")
@example("defmodule M do\ndef project, do:")
@example("@")
@example("def")
def test_any_text_is_a_project_or_one_clear_error(text: str) -> None:
    for source in (text, f"defmodule M do\ndef project do\n[app: :shop, {text}]\nend\nend"):
        try:
            read(source)
        except UsageError as error:
            assert error.message.startswith("mix.exs:")


@given(st.binary())
def test_any_bytes_are_a_project_or_one_clear_error(data: bytes) -> None:
    with pytest.raises(UsageError):
        read_mix_project(data, "mix.exs")
