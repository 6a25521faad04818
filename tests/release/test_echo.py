"""Releases that relx really built, and releases as `.tar.gz` and without ERTS, really built."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imagesmith.beam.archive import Archive, open_tree
from imagesmith.beam.origin import Origin, find_project
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.tool import Tool
from imagesmith.image.cattle import command, plan_cattle
from imagesmith.image.warnings import warnings
from imagesmith.layer.member import FileMember
from imagesmith.layer.split import LayerPlan
from imagesmith.recipe.load import load
from imagesmith.recipe.parse import parse
from tests.echo import ECHO, build_echo
from tests.shop import Shop, copy_source

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources: another worker may be building in the fixture's own folder."""
    return tmp_path_factory.mktemp("echo") / "work"


@pytest.fixture(scope="module")
def echo(work: Path) -> Path:
    return build_echo("--work", str(work))


def read(path: Path) -> Release:
    return read_release(open_tree(path), project=find_project(path))


def plans(release: Release) -> list[LayerPlan]:
    recipe = parse(b"version: 1\nrelease: {path: .}\n", "recipe.yml", Path())
    return plan_cattle(release, recipe)


def keys(path: Path) -> dict[str, str]:
    return {f"{plan.group}: {plan.name}": plan.key for plan in plans(read(path))}


def test_a_release_of_relx_is_read(echo: Path) -> None:
    release = read(echo)
    assert (release.name, release.version, release.tool) == ("echo", "0.1.0", Tool.RELX)
    assert release.has_erts
    origins = {app.name: app.origin for app in release.applications}
    assert origins == {
        "kernel": Origin.OTP,
        "stdlib": Origin.OTP,
        "sasl": Origin.OTP,
        "echo": Origin.OWN,
        "echo_http": Origin.OWN,
    }
    assert command(release, None) == ("/app/bin/echo", "foreground")


def test_no_file_of_its_layers_holds_the_cookie_of_the_source_code(echo: Path) -> None:
    release = read(echo)
    assert b"echo_cookie_of" in (echo / "releases/0.1.0/vm.args.src").read_bytes()
    for plan in plans(release):
        for member in plan.members:
            if isinstance(member, FileMember):
                assert b"echo_cookie_of" not in member.content.read()
    (warning,) = warnings(release)
    assert "vm.args.src: the cookie of -setcookie" in warning


def test_two_builds_in_two_places_have_the_same_layers(echo: Path, tmp_path: Path) -> None:
    assert keys(echo) == keys(build_echo("--work", str(tmp_path / "other")))


def test_the_tarball_that_relx_leaves_in_the_release_is_not_shipped(
    echo: Path, tmp_path: Path
) -> None:
    tarball = build_echo("--tar", "--work", str(tmp_path / "tar"))
    assert tarball.parent.name == "echo"
    assert keys(tarball.parent) == keys(echo)
    # systools takes of OTP what runs, and not include/ nor erlc; ours is as it was.
    packed, lying = keys(tarball), keys(echo)
    assert packed.keys() == lying.keys()
    for name in ("own: echo", "own: echo_http"):
        assert packed[name] == lying[name]


def test_without_erts_relx_ships_otps_applications_all_the_same(work: Path) -> None:
    release = read(build_echo("--no-erts", "--work", str(work)))
    assert not release.has_erts
    assert release.from_base == ()
    assert "kernel" in {app.name for app in release.applications}
    assert "native" not in {plan.group for plan in plans(release)}


def test_the_recipe_of_the_echo_is_good() -> None:
    build_echo()
    recipe = load(ECHO.parent.parent / "recipes/echo.yml")
    assert recipe.release is not None
    assert command(read(recipe.release.path), recipe.cmd) == ("/app/bin/echo", "foreground")
    assert recipe.env == {"GREETING": "Say something"}


# --- the shop ----------------------------------------------------------------


@pytest.fixture(scope="module")
def other_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, its worker without ERTS, and both as mix's own tarballs besides."""
    work = tmp_path_factory.mktemp("shop")
    copy_source(work)
    definition = (work / "mix.exs").read_text()
    definition = definition.replace("&restore_links/1]", "&restore_links/1, :tar]").replace(
        "shop_worker: release([:core, :catalog, :worker])",
        "shop_worker: release([:core, :catalog, :worker], include_erts: false)",
    )
    (work / "mix.exs").write_text(definition)
    build = [str(work / "build"), "--release", "shop_web", "--release", "shop_worker"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return work / "_build/prod"


def test_mixs_own_tarball_gives_the_layers_of_the_folder(other_shop: Path) -> None:
    tarball = other_shop / "shop_web-0.1.0.tar.gz"
    priv = other_shop / "rel/shop_web/lib/core-0.1.0/priv"
    (priv / "current.csv").unlink()  # a link, in whose place mix packs what it leads to
    (priv / "current.csv").write_bytes((priv / "catalogue.csv").read_bytes())
    assert keys(tarball) == keys(other_shop / "rel/shop_web")
    assert command(read(tarball), None) == ("/app/bin/server",)


def test_so_does_a_tarball_by_gnu_tar(shop: Shop, tmp_path: Path) -> None:
    tarball = tmp_path / "shop.tar.gz"
    subprocess.run(["tar", "-czf", tarball, shop.all.name], cwd=shop.releases, check=True)
    assert dict(Archive(tarball).entries) == dict(open_tree(shop.all).entries)
    project = find_project(shop.all)

    def found(path: Path) -> dict[str, str]:
        release = read_release(open_tree(path), project=project)
        return {plan.name: plan.key for plan in plans(release)}

    assert found(tarball) == found(shop.all)


def test_without_erts_mix_leaves_otp_to_the_base_and_ships_elixir(other_shop: Path) -> None:
    release = read(other_shop / "rel/shop_worker")
    assert not release.has_erts
    missing = dict(release.from_base)
    assert {"kernel", "stdlib", "compiler", "sasl", "crypto"} <= missing.keys()
    assert "elixir" in {app.name for app in release.applications}
    # The shop's NIF is native code too, but nothing of ERTS is there.
    native = [p for plan in plans(release) if plan.group == "native" for p in plan.members]
    assert [member.path for member in native] == ["lib/core/priv/core_nif.so"]
    script = (other_shop / "rel/shop_worker/releases/0.1.0/start.script").read_text()
    for name, version in release.from_base:
        assert f'"$ROOT/lib/{name}-{version}/ebin"' in script
