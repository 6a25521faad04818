"""Versions from code: what changes them, and what does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesmith.beam.etf import encode
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import consult, format_term
from imagesmith.beam.tree import Folder
from imagesmith.plan.code import Running
from imagesmith.plan.versions import automatic, given
from tests.beam.beams import module
from tests.trees import APPLICATIONS, App, make_release, make_relx_release, written

SHOP = "lib/shop-0.1.0"
OWN = "releases/0.1.0"


class Versions(dict[str, str]):
    """Automatic versions by application; the release's under the name `release`."""

    @classmethod
    def of(cls, folder: Path) -> Versions:
        found = versioned(folder)
        return cls({app.name: app.version for app in found.applications}, release=found.version)

    def others(self, than: Versions) -> set[str]:
        return {name for name in self.keys() | than.keys() if self.get(name) != than.get(name)}


def versioned(folder: Path) -> Release:
    return read_release(automatic(read_release(Folder(folder))))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = make_release(tmp_path / "shop")
    app(folder, lambda pairs: [*pairs, (Atom("env"), [(Atom("size"), 1)])])
    (folder / "bin/migrate").write_text("#!/bin/sh\n")
    return folder


def app(folder: Path, change: Callable[[list[Term]], list[Term]]) -> None:
    file = folder / SHOP / "ebin/shop.app"
    match consult(file.read_bytes()):
        case [(tag, name, list(pairs))]:
            file.write_text(f"{format_term((tag, name, change(pairs)))}.\n")


def test_applications_that_are_not_otps_or_elixirs_get_one_and_so_does_the_release(
    built: Path,
) -> None:
    found = Versions.of(built)
    kept = {"kernel": "8.5.3", "stdlib": "4.2", "elixir": "1.14.0"}
    assert {name: found[name] for name in kept} == kept
    for name, base in (("jason", "1.4.0"), ("shop", "0.1.0"), ("release", "0.1.0")):
        assert re.fullmatch(rf"{re.escape(base)}\+[0-9a-f]{{10}}", found[name])
        assert given(found[name]) == base


def test_another_place_and_another_cookie_are_no_other_version(built: Path, tmp_path: Path) -> None:
    other = make_release(tmp_path / "elsewhere/shop")
    app(other, lambda pairs: [(Atom("env"), [(Atom("size"), 1)]), *reversed(pairs)])
    (other / "bin/migrate").write_text("#!/bin/sh\n")
    (other / "releases/COOKIE").write_text("another secret")
    (other / OWN / "start.script").write_text("x")
    assert Versions.of(other) == Versions.of(built)


@pytest.mark.parametrize("chunk", [b"Line", b"Dbgi", b"Docs", b"CInf", b"LocT"])
def test_what_no_vm_executes_is_no_other_version(built: Path, chunk: bytes) -> None:
    before = Versions.of(built)
    changed = module({chunk: b"moved"}, name="Elixir.Shop")
    (built / SHOP / "ebin/Elixir.Shop.beam").write_bytes(changed)
    assert Versions.of(built) == before


def test_the_time_of_the_build_is_no_other_version(built: Path) -> None:
    before = Versions.of(built)
    app(built, lambda pairs: [*pairs, (Atom("config_mtime"), 1_700_000_000)])
    assert Versions.of(built) == before


def module_changed(folder: Path) -> None:
    file = folder / SHOP / "ebin/Elixir.Shop.beam"
    file.write_bytes(module({b"Code": b"\0\0\0\x10other!!!"}, name="Elixir.Shop"))


def module_added(folder: Path) -> None:
    (folder / SHOP / "ebin/Elixir.Shop.Till.beam").write_bytes(module(name="Elixir.Shop.Till"))


def priv_changed(folder: Path) -> None:
    (folder / SHOP / "priv/static/robots.txt").write_text("Disallow: /\n")


def priv_made_executable(folder: Path) -> None:
    (folder / SHOP / "priv/static/robots.txt").chmod(0o755)


def link_added(folder: Path) -> None:
    (folder / SHOP / "priv/link").symlink_to("static")


def env_changed(folder: Path) -> None:
    app(folder, lambda pairs: [*pairs[:-1], (Atom("env"), [(Atom("size"), 2)])])


@pytest.mark.parametrize(
    "change",
    [module_changed, module_added, priv_changed, priv_made_executable, link_added, env_changed],
)
def test_what_an_application_runs_is_its_version_and_the_releases(
    built: Path, change: Callable[[Path], None]
) -> None:
    before = Versions.of(built)
    change(built)
    assert Versions.of(built).others(before) == {"shop", "release"}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (f"{OWN}/sys.config", b"[{shop, [{size, 3}]}].\n"),
        (f"{OWN}/sys.config", b"%% RUNTIME_CONFIG=true\n[].\n"),
        (f"{OWN}/vm.args", b"+Bi\n"),
        (f"{OWN}/env.sh", b"#!/bin/sh\nexport A=1\n"),
        (f"{OWN}/runtime.exs", b"import Config\n"),
        (
            f"{OWN}/start.boot",
            encode((Atom("script"), ("shop", "0.1.0"), [(Atom("progress"), Atom("another"))])),
        ),
        (
            f"{OWN}/consolidated/Elixir.String.Chars.beam",
            module({b"Code": b"\0\0\0\x10other!!!"}, name="Elixir.String.Chars"),
        ),
        ("bin/migrate", b"#!/bin/sh\nexit\n"),
        ("NOTES", b"an overlay"),
    ],
)
def test_the_releases_own_files_are_the_releases_version_alone(
    built: Path, path: str, data: bytes
) -> None:
    before = Versions.of(built)
    (built / path).write_bytes(data)
    assert Versions.of(built).others(before) == {"release"}


def test_the_version_of_another_otp_is_in_the_releases(built: Path, tmp_path: Path) -> None:
    applications = [App("kernel", "9", ("application", "code"), ()), *APPLICATIONS[1:]]
    others = (
        make_release(tmp_path / "kernel", applications=applications),
        make_release(tmp_path / "erts", erts="14.0"),
    )
    usual = Versions.of(make_release(tmp_path / "usual"))
    assert [Versions.of(other).others(usual) for other in others] == [
        {"kernel", "release"},
        {"release"},
    ]


def test_the_order_in_which_a_vm_prints_a_map_is_no_other_version(built: Path) -> None:
    config = built / OWN / "sys.config"
    config.write_text("[{shop, [{sizes, #{a => 1, b => 2}}]}].\n")
    before = Versions.of(built)
    config.write_text("[{shop,\n  [{sizes, #{b => 2, a => 1}}]}].\n")
    assert Versions.of(built) == before


def test_the_time_of_digesting_assets_is_no_change_and_an_asset_is(built: Path) -> None:
    manifest = built / SHOP / "priv/static/cache_manifest.json"

    def write(mtime: int, latest: str) -> tuple[Versions, str]:
        digests = {"app-1.js": {"logical_path": "app.js", "mtime": mtime, "size": 3}}
        document = {"version": 1, "latest": {"app.js": latest}, "digests": digests}
        manifest.write_text(json.dumps(document))
        others = Running(read_release(Folder(built))).code("shop").others
        return Versions.of(built), others["priv/static/cache_manifest.json"]

    assert write(1, "app-1.js") == write(2, "app-1.js")
    assert write(1, "app-1.js") != write(1, "app-2.js")
    for nonsense in ("{", "[]", '{"digests": [1]}', '{"digests": {"a": 1}}'):
        manifest.write_text(nonsense)
        assert Versions.of(built)["shop"].startswith("0.1.0+")


def test_build_metadata_that_is_there_stays_before_the_hash(tmp_path: Path) -> None:
    own = App("shop", "0.1.0+exp", ("Elixir.Shop",))
    folder = make_release(tmp_path, version="0.1.0-rc.1", applications=[*APPLICATIONS[:4], own])
    found = Versions.of(folder)
    assert re.fullmatch(r"0\.1\.0\+exp\.[0-9a-f]{10}", found["shop"])
    assert re.fullmatch(r"0\.1\.0-rc\.1\+[0-9a-f]{10}", found["release"])


@pytest.mark.parametrize("version", ["1", "0.1.0", "0.1.0-rc.1+exp", "2024.1700000000", "1+a.b"])
def test_what_was_given_is_known_again(version: str) -> None:
    joint = "." if "+" in version else "+"
    assert given(f"{version}{joint}0123456789") == version
    assert given(version) == version


@pytest.mark.parametrize("make", [make_release, make_relx_release])
def test_versions_that_are_automatic_already_stay(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    once = automatic(read_release(Folder(make(tmp_path / "shop"))))
    twice = versioned(written(once, tmp_path / "once"))
    assert {app.name: app.version for app in twice.applications} == {
        app.name: app.version for app in read_release(once).applications
    }
