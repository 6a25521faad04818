"""Whose an application is, and what told us so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.beam.origin import Origin, Project, Verdict, find_project, origins

MIX_LOCK = """\
%{
  "jason": {:hex, :jason, "1.4.0", "e855647bc964a44e2f67df589ccf49105ae039d4179db7f6271dfd3843dc27e6", [:mix], [{:decimal, "~> 1.0 or ~> 2.0", [hex: :decimal, repo: "hexpm", optional: true]}], "hexpm", "79a3791085b2a0f743ca04cec0f7be26443738779d09302e01318f97bdb82121"},
  "my_fork2": {:git, "https://git.example/my_fork2.git", "0123456789abcdef", [branch: "main"]},
}
"""  # noqa: E501

REBAR_LOCK = """\
{"1.2.0",
[{<<"cowboy">>,{pkg,<<"cowboy">>,<<"2.9.0">>},0},
 {<<"my_fork2">>,
  {git,"https://git.example/my_fork2.git",
       {ref,"0123456789abcdef"}},
  0}]}.
[
{pkg_hash,[
 {<<"cowboy">>, <<"865DD8B6607E14CF03282E10E934023A1BD8BE6F6BACF921A7E2A96D800CD452">>}]}
].
"""


def _write(root: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files; gives the folder of a release in it."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    release = root / "_build/prod/rel/shop"
    release.mkdir(parents=True)
    return release


def _project(root: Path, files: Mapping[str, str]) -> Project:
    project = find_project(_write(root, files))
    assert project
    assert project.root == root
    return project


def _mix(app: str) -> str:
    return f"defmodule Some.MixProject do\n  def project, do: [app: :{app}, version: @v]\nend\n"


# --- the verdict ------------------------------------------------------------


def test_what_the_recipe_says_wins_over_everything() -> None:
    names = ("kernel", "elixir", "jason", "shop")
    project = Project(Path(), own={}, third_party=dict.fromkeys(names, "mix.lock"))
    found = origins(dict.fromkeys(names, ()), own=names, project=project)
    assert set(found.values()) == {Verdict(Origin.OWN, "the recipe says so")}


@pytest.mark.parametrize("name", ["kernel", "stdlib", "ssl", "runtime_tools", "hipe"])
def test_the_applications_of_otp_are_known_by_name(name: str) -> None:
    assert origins({name: ()})[name] == Verdict(Origin.OTP, "part of Erlang/OTP")


@pytest.mark.parametrize("name", ["elixir", "eex", "logger", "iex", "mix", "ex_unit"])
def test_the_applications_of_elixir_are_known_by_name(name: str) -> None:
    assert origins({name: ()})[name] == Verdict(Origin.ELIXIR, "part of Elixir")


CONCLUDED_OWN = Verdict(
    Origin.OWN, "concluded: no other application requires it", is_concluded=True
)


def test_the_project_is_asked_before_anything_is_concluded() -> None:
    project = Project(Path(), own={"core": "apps/core"}, third_party={"leaf": "mix.lock"})
    found = origins({"core": (), "leaf": (), "shop": ("core",)}, project=project)
    assert found == {
        "core": Verdict(Origin.OWN, "apps/core"),
        "leaf": Verdict(Origin.THIRD_PARTY, "mix.lock"),
        "shop": CONCLUDED_OWN,
    }


def test_own_wins_where_a_project_says_both() -> None:
    project = Project(Path(), own={"core": "apps/core"}, third_party={"core": "deps/core"})
    assert origins({"core": ()}, project=project)["core"].origin is Origin.OWN


def test_a_project_cannot_claim_what_otp_and_elixir_bring() -> None:
    project = Project(Path(), own={"ssl": "apps/ssl", "mix": "apps/mix"}, third_party={})
    found = origins({"ssl": (), "mix": ()}, project=project)
    assert [verdict.origin for verdict in found.values()] == [Origin.OTP, Origin.ELIXIR]


def test_without_a_project_it_is_concluded_from_who_requires_whom() -> None:
    found = origins({"shop": ("jason", "kernel"), "jason": ("kernel",), "kernel": ()})
    others = Verdict(Origin.THIRD_PARTY, "concluded: others require it", is_concluded=True)
    assert found["jason"] == others
    assert found["shop"] == CONCLUDED_OWN


# --- mix --------------------------------------------------------------------


def test_a_mix_project_defines_one_application_and_locks_the_others(tmp_path: Path) -> None:
    files = {"mix.exs": _mix("shop"), "mix.lock": MIX_LOCK, "deps/vendored/mix.exs": ""}
    project = _project(tmp_path, files)
    assert project.own == {"shop": "mix.exs defines it"}
    assert project.third_party == {
        "jason": "mix.lock",
        "my_fork2": "mix.lock",
        "vendored": "deps/vendored",
    }


def test_the_lock_file_speaks_before_the_folder_of_dependencies(tmp_path: Path) -> None:
    files = {"mix.exs": _mix("shop"), "mix.lock": MIX_LOCK, "deps/jason/mix.exs": ""}
    assert _project(tmp_path, files).third_party["jason"] == "mix.lock"


def test_a_file_among_the_dependencies_is_none(tmp_path: Path) -> None:
    project = _project(tmp_path, {"mix.exs": _mix("shop"), "deps/.keep": "", "deps/notes": ""})
    assert project.third_party == {}


def test_the_siblings_of_an_umbrella_are_own(tmp_path: Path) -> None:
    files = {
        "mix.exs": '[apps_path: "apps", version: "1"]',
        "apps/core/mix.exs": _mix("core"),
        "apps/web/mix.exs": _mix("shop_web"),
        "apps/no_project/README.md": "",
    }
    assert _project(tmp_path, files).own == {
        "core": "apps/core in the umbrella",
        "shop_web": "apps/web in the umbrella",
    }


def test_the_umbrella_may_lie_elsewhere(tmp_path: Path) -> None:
    _write(tmp_path / "far", {"apps/core/mix.exs": _mix("core")})
    for number, place in enumerate(("../far/apps", str(tmp_path / "far/apps"))):
        project = _project(tmp_path / f"{number}", {"mix.exs": f'[apps_path: "{place}"]'})
        assert project.own == {"core": "../far/apps/core in the umbrella"}


def test_an_umbrella_is_found_from_the_release_upwards(tmp_path: Path) -> None:
    files = {"mix.exs": '[apps_path: "apps"]', "apps/core/mix.exs": _mix("core")}
    deep = _write(tmp_path, files) / "deeper/still"
    deep.mkdir(parents=True)
    project = find_project(deep)
    assert project is not None and project.root == tmp_path


def test_project_files_in_any_bytes_have_something_or_nothing_to_say(tmp_path: Path) -> None:
    release = _write(tmp_path, {"mix.exs": "", "mix.lock/is/a": "folder"})
    (tmp_path / "mix.exs").write_bytes(b"\xff\xfe app: :shop \x00")
    assert find_project(release) == Project(tmp_path, {"shop": "mix.exs defines it"}, {})


# --- rebar3 -----------------------------------------------------------------


def test_a_rebar_project_has_its_own_sources_and_a_lock_file(tmp_path: Path) -> None:
    files = {
        "rebar.config": "",
        "rebar.lock": REBAR_LOCK,
        "src/shop.app.src": "",
        "apps/core/src/core.app.src": "",
        "lib/web/src/shop_web.app.src": "",
        "_build/default/lib/cowboy/src/cowboy.app.src": "",
    }
    project = _project(tmp_path, files)
    assert project.own == {
        "shop": "src/shop.app.src",
        "core": "apps/core/src/core.app.src",
        "shop_web": "lib/web/src/shop_web.app.src",
    }
    assert project.third_party == {"cowboy": "rebar.lock", "my_fork2": "rebar.lock"}


def test_a_rebar_project_without_a_lock_file_has_nothing_to_say_of_others(tmp_path: Path) -> None:
    assert _project(tmp_path, {"rebar.config": "{deps, [cowboy]}."}).third_party == {}


def test_a_release_outside_of_any_project_has_none(tmp_path: Path) -> None:
    assert find_project(tmp_path / "release") is None


def test_a_release_that_is_reached_by_a_link_belongs_to_where_it_lies(tmp_path: Path) -> None:
    release = _write(tmp_path / "project", {"mix.exs": _mix("shop")})
    (tmp_path / "current").symlink_to(release)
    project = find_project(tmp_path / "current")
    assert project is not None and project.root == tmp_path / "project"
