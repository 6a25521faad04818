"""`imagesmith init`: the recipe that it writes, what it tells and prints."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from imagesmith.errors import RecipeError
from imagesmith.recipe import Recipe
from imagesmith.recipe.load import load
from tests.cli.conftest import Smith
from tests.trees import APPLICATIONS, App, make_release

ROOT = Path(__file__).parents[2]
REL = "_build/prod/rel"
# As `mix new shop` of Elixir 1.14 writes it.
MIX_NEW = """\
defmodule Shop.MixProject do
  use Mix.Project

  def project do
    [
      app: :shop,
      version: "0.1.0",
      elixir: "~> 1.14",
      start_permanent: Mix.env() == :prod,
      deps: deps()
    ]
  end

  # Run "mix help compile.app" to learn about applications.
  def application do
    [
      extra_applications: [:logger]
    ]
  end

  # Run "mix help deps" to learn about dependencies.
  defp deps do
    [
      # {:dep_from_hexpm, "~> 0.3.0"},
      # {:dep_from_git, git: "https://github.com/elixir-lang/my_dep.git", tag: "0.1.0"}
    ]
  end
end
"""
# What `mix phx.new` adds to it.
PHOENIX = MIX_NEW.replace(
    '      # {:dep_from_hexpm, "~> 0.3.0"},\n',
    '      {:phoenix, "~> 1.7.14"},\n      {:phoenix_ecto, "~> 4.5"},\n'
    '      {:heroicons, github: "tailwindlabs/heroicons", tag: "v2.1.1", sparse: "optimized"},\n'
    '      {:esbuild, "~> 0.8", runtime: Mix.env() == :dev},\n',
)


def with_releases(releases: str, rest: str = "") -> str:
    text = MIX_NEW.replace("      deps: deps()\n", f"      deps: deps(),\n      {releases}\n")
    return text.replace("\nend\n", f"\n{rest}\nend\n")


def umbrella(settings: str) -> str:
    return f'defmodule U do\n  def project, do: [apps_path: "apps", {settings}]\nend\n'


def written(here: Path) -> Recipe:
    """The recipe as it loads when its releases are built; before, that is all that it lacks."""
    path = here / "imagesmith.yml"
    document = yaml.safe_load(path.read_text())
    for release in document.get("releases", {"": document.get("release")}).values():
        place = path.parent / release["path"]
        if not place.exists():
            with pytest.raises(RecipeError, match="build the release first"):
                load(path)
            place.mkdir(parents=True)
    return load(path)


def paths(recipe: Recipe, here: Path) -> dict[str, str]:
    top = here.resolve()
    if recipe.release:
        return {"": str(recipe.release.path.relative_to(top))}
    found = recipe.releases or {}
    return {name: str(release.path.relative_to(top)) for name, release in found.items()}


def test_a_new_mix_project(smith: Smith, here: Path) -> None:
    (here / "mix.exs").write_text(MIX_NEW)
    done = smith("init")
    assert (done.code, done.stdout) == (0, "imagesmith.yml\n")
    assert done.stderr.splitlines() == [
        "imagesmith: mix.exs: the release shop",
        "imagesmith: next: MIX_ENV=prod mix release && imagesmith build",
    ]
    assert sorted(path.name for path in here.iterdir()) == ["imagesmith.yml", "mix.exs"]
    text = (here / "imagesmith.yml").read_text()
    assert "Not certain" not in text
    recipe = written(here)
    assert paths(recipe, here) == {"": f"{REL}/shop"}
    assert (recipe.ports, dict(recipe.env), recipe.name) == ((), {}, None)


def test_the_recipe_builds_the_release_that_it_names(smith: Smith, here: Path) -> None:
    (here / "mix.exs").write_text(MIX_NEW)
    make_release(here / REL / "shop")
    done = smith("init")
    assert done.stderr.splitlines()[-1] == "imagesmith: next: imagesmith build"
    built = smith("build")
    assert built.stdout.startswith("shop.oci@"), built.stderr


def test_the_shop_an_umbrella_of_three(smith: Smith, here: Path) -> None:
    for path in ("mix.exs", *(f"apps/{app}/mix.exs" for app in ("core", "web", "worker"))):
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_bytes((ROOT / "fixtures/shop" / path).read_bytes())
    done = smith("init")
    assert (done.code, done.stdout) == (0, "imagesmith.yml\n")
    names = ("shop_web", "shop_worker", "shop_all")
    assert f"mix.exs, an umbrella: the releases {', '.join(names)}\n" in done.stderr
    assert all(f"MIX_ENV=prod mix release {name}" in done.stderr for name in names)
    # Its options come from a function with arguments, which only running would tell.
    assert "not certain: mix.exs: code makes options of shop_web, shop_worker" in done.stderr
    assert "# Not certain:" in (here / "imagesmith.yml").read_text()
    assert paths(written(here), here) == {name: f"{REL}/{name}" for name in names}


def test_releases_from_a_private_function(smith: Smith, here: Path) -> None:
    rest = '  defp releases do\n    [web: [path: "out/web"], worker: []]\n  end'
    (here / "mix.exs").write_text(with_releases("releases: releases()", rest))
    done = smith("init")
    assert done.stderr.endswith(
        "next: MIX_ENV=prod mix release web && MIX_ENV=prod mix release worker"
        " && imagesmith build\n"
    )
    assert paths(written(here), here) == {"web": "out/web", "worker": f"{REL}/worker"}


def test_releases_that_code_makes_are_a_guess_which_is_said(smith: Smith, here: Path) -> None:
    (here / "mix.exs").write_text(with_releases("releases: Rel.all()"))
    done = smith("init")
    assert "not certain: The release shop is a guess" in done.stderr
    text = (here / "imagesmith.yml").read_text()
    assert "#   - mix.exs: its `releases:` are made by code, which is not run." in text
    assert "#   - The release shop is a guess" in text
    assert paths(written(here), here) == {"": f"{REL}/shop"}


def test_releases_that_code_makes_are_those_that_are_built(smith: Smith, here: Path) -> None:
    (here / "mix.exs").write_text(with_releases("releases: Rel.all()"))
    for name in ("web", "worker"):
        make_release(here / REL / name, name=name)
    done = smith("init")
    assert "The releases are those that are built in _build/prod/rel" in done.stderr
    assert paths(written(here), here) == {name: f"{REL}/{name}" for name in ("web", "worker")}


def test_a_phoenix_project_without_and_with_its_overlays(smith: Smith, here: Path) -> None:
    (here / "mix.exs").write_text(PHOENIX)
    done = smith("init")
    assert "Phoenix is a dependency: port 4000" in done.stderr
    recipe = written(here)
    assert ([str(port) for port in recipe.ports], dict(recipe.env)) == (
        ["4000/tcp"],
        {"PHX_SERVER": "true"},
    )
    text = (here / "imagesmith.yml").read_text()
    assert "mix phx.gen.release" in text
    assert "PHX_HOST: shop.example" in text
    assert "# probe: {http: /, port: 4000}" in text
    assert "read by commands that this version does not have yet" in text

    for name in ("server", "migrate"):
        (here / "rel/overlays/bin").mkdir(parents=True, exist_ok=True)
        (here / "rel/overlays/bin" / name).touch()
    assert smith("init", "--force").code == 0
    recipe = written(here)
    assert ([str(port) for port in recipe.ports], dict(recipe.env)) == (["4000/tcp"], {})
    text = (here / "imagesmith.yml").read_text()
    assert "docker run --rm IMAGE bin/migrate" in text
    assert "phx.gen.release" not in text


def test_phoenix_in_an_umbrella_with_several_releases_sets_nothing_for_all(
    smith: Smith, here: Path
) -> None:
    (here / "mix.exs").write_text(umbrella("releases: [web: [], worker: []]"))
    (here / "apps/web").mkdir(parents=True)
    (here / "apps/web/mix.exs").write_text(PHOENIX)
    (here / "apps/broken").mkdir()
    (here / "apps/broken/mix.exs").write_bytes(b"\0")
    done = smith("init")
    assert "Phoenix is a dependency" in done.stderr
    recipe = written(here)
    assert (recipe.ports, dict(recipe.env)) == ((), {})
    assert "# ports: [4000]" in (here / "imagesmith.yml").read_text()


def test_an_application_of_anumbrella(smith: Smith, here: Path) -> None:
    web = here / "apps/web"
    web.mkdir(parents=True)
    (web / "mix.exs").write_bytes((ROOT / "fixtures/shop/apps/web/mix.exs").read_bytes())
    done = smith("init", "apps/web")
    assert done.stdout == "apps/web/imagesmith.yml\n"
    assert "(cd apps/web && MIX_ENV=prod mix release) && imagesmith build apps/web/" in done.stderr
    assert written(web).release.path == (here / REL / "web").resolve()  # type: ignore[union-attr]


def test_a_rebar_project(smith: Smith, here: Path) -> None:
    (here / "rebar.config").write_text(
        '{relx, [{release, {echo, "1"}, [echo]}, {release, {\'Echo-2\', "1"}, [echo]},\n'
        "  {dev_mode, true}]}.\n"
    )
    (here / "rebar.config.script").touch()
    done = smith("init")
    assert (done.code, done.stdout) == (0, "imagesmith.yml\n")
    assert "next: rebar3 release -n echo && rebar3 release -n Echo-2 && " in done.stderr
    text = (here / "imagesmith.yml").read_text()
    assert "set `{mode, prod}`" in text
    assert "rebar.config.script may change all of this" in text
    assert paths(written(here), here) == {
        "echo": "_build/default/rel/echo",
        "echo-2": "_build/default/rel/Echo-2",
    }


def test_a_rebar_project_with_a_prod_profile(smith: Smith, here: Path) -> None:
    (here / "rebar.config").write_text(
        '{relx, [{release, {echo, "1"}, [echo]}, {mode, dev}]}.\n'
        "{profiles, [{prod, [{relx, [{mode, prod}]}]}]}.\n"
    )
    done = smith("init")
    assert "next: rebar3 as prod release -n echo && imagesmith build" in done.stderr
    assert "not certain" not in done.stderr
    assert paths(written(here), here) == {"": f"{REL}/echo"}


def test_a_built_release(smith: Smith, here: Path) -> None:
    applications = (*APPLICATIONS, App("phoenix", modules=("Elixir.Phoenix",)))
    release = make_release(here / REL / "shop", applications=applications)
    (release / "bin/server").touch()
    done = smith("init", f"{REL}/shop")
    assert (done.code, done.stdout) == (0, "imagesmith.yml\n")
    assert "the release shop 0.1.0" in done.stderr
    assert done.stderr.splitlines()[-1] == "imagesmith: next: imagesmith build"
    recipe = load(here / "imagesmith.yml")
    assert paths(recipe, here) == {"": f"{REL}/shop"}
    assert [str(port) for port in recipe.ports] == ["4000/tcp"]


def test_a_recipe_does_not_become_a_part_of_the_release(
    smith: Smith, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_release(here / "shop"))
    for arguments in (["init"], ["init", "-o", "bin/r.yml"]):
        done = smith(*arguments)
        assert done.code == 2
        assert "it would lie in the release" in done.stderr
    done = smith("init", "-o", "../r.yml")
    assert done.stdout == "../r.yml\n"
    assert paths(load(here / "r.yml"), here) == {"": "shop"}


def test_a_damaged_release_is_one_error(smith: Smith, here: Path) -> None:
    release = make_release(here / "shop")
    (release / "releases/0.1.0/shop.rel").write_bytes(b"{release, {")
    done = smith("init", "shop")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.count("imagesmith: ") == 1


def test_stdout(smith: Smith, here: Path) -> None:
    (here / "mix.exs").write_text(MIX_NEW)
    done = smith("init", "-o", "-")
    assert done.stdout.startswith("# The recipe of shop")
    assert yaml.safe_load(done.stdout) == {"version": 1, "release": {"path": f"{REL}/shop"}}
    assert [path.name for path in here.iterdir()] == ["mix.exs"]
    smith("init")
    assert (here / "imagesmith.yml").read_text() == done.stdout


def test_another_file_has_paths_of_its_own(smith: Smith, here: Path) -> None:
    (here / "mix.exs").write_text(MIX_NEW)
    (here / "deploy").mkdir()
    done = smith("init", "--output", "deploy/shop.yml")
    assert done.stdout == "deploy/shop.yml\n"
    assert done.stderr.endswith("&& imagesmith build deploy/shop.yml\n")
    (here / REL / "shop").mkdir(parents=True)
    assert paths(load(here / "deploy/shop.yml"), here) == {"": f"{REL}/shop"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_nothing_is_overwritten_unless_forced(smith: Smith, here: Path, kind: str) -> None:
    (here / "mix.exs").write_text(MIX_NEW)
    target = here / "imagesmith.yml"
    target.write_text("mine") if kind == "file" else target.symlink_to("nowhere")
    done = smith("init")
    assert (done.code, done.stdout) == (2, "")
    assert "imagesmith.yml: it is there already" in done.stderr
    assert "--force" in done.stderr
    assert "--output" in done.stderr
    assert kind == "link" or target.read_text() == "mine"
    assert smith("init", "--force").code == 0
    assert "version: 1" in target.read_text()
    assert not target.is_symlink()
    assert sorted(path.name for path in here.iterdir()) == ["imagesmith.yml", "mix.exs"]
