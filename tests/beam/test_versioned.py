"""A release under other versions: whatever names them names the new ones, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.beam.etf import decode, encode
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import consult, format_term
from imagesmith.beam.tree import File, Folder, Link, Tree
from imagesmith.beam.versioned import VersionedTree
from imagesmith.errors import ReleaseError
from tests.trees import (
    APPLICATIONS,
    App,
    make_distillery_release,
    make_release,
    make_relx_release,
)

VERSION = "0.1.0+ff"
VERSIONS = {"shop": "0.1.0+aa", "shop_web": "0.1.0+bb"}
WEB = App("shop_web", "0.1.0", ("Elixir.ShopWeb",), files={"priv/a": b"lib/shop-0.1.0"})


def load(name: str, version: str) -> Term:
    resource: Term = (Atom("application"), Atom(name), [(Atom("vsn"), version)])
    return (Atom("apply"), (Atom("application"), Atom("load"), [resource]))


def script(release: str, shop: str, web: str) -> Term:
    paths: list[Term] = [
        f"$RELEASE_LIB/../releases/{release}/consolidated",
        "$ROOT/lib/kernel-8.5.3/ebin",
        f"$RELEASE_LIB/shop-{shop}/ebin",
        f"$RELEASE_LIB/shop_web-{web}/ebin",
        "$RELEASE_LIB/shop-0.1.0.1/ebin",
        "$RELEASE_LIB/my_shop-0.1.0/ebin",
    ]
    return (
        Atom("script"),
        ("shop", release),
        [
            (Atom("path"), paths),
            load("kernel", "8.5.3"),
            load("shop", shop),
            load("shop_web", web),
            (Atom("apply"), (Atom("Elixir.Config.Provider"), Atom("boot"), [])),
        ],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_release(tmp_path / "shop", applications=[*APPLICATIONS, WEB])
    (made / "releases/0.1.0/start.boot").write_bytes(encode(script("0.1.0", "0.1.0", "0.1.0")))
    return made


def versioned(folder: Path) -> Tree:
    return VersionedTree(read_release(Folder(folder)), VERSIONS, VERSION)


def read(folder: Path) -> Release:
    return read_release(versioned(folder))


def test_it_is_read_as_any_other_release(folder: Path) -> None:
    old, new = read_release(Folder(folder)), read(folder)
    assert new.version == VERSION
    assert {app.name: app.version for app in new.applications} == {
        app.name: VERSIONS.get(app.name, app.version) for app in old.applications
    }
    assert [app.modules for app in new.applications] == [app.modules for app in old.applications]
    assert new.erts_version == old.erts_version
    assert new.tree.read(f"{new.folder}/env.sh") == old.tree.read(f"{old.folder}/env.sh")
    assert f"{new.consolidated}/Elixir.String.Chars.beam" in new.paths
    scripts = {path for path in old.paths if path.endswith(".script")}
    assert len(new.paths) == len(old.paths) - len(scripts)
    assert list(new.tree.entries) == sorted(new.tree.entries)


def test_the_boot_script_names_the_new_versions_and_is_else_the_same(folder: Path) -> None:
    release = read(folder)
    boot = decode(release.tree.read(f"{release.folder}/start.boot"))
    assert boot == script(VERSION, VERSIONS["shop"], VERSIONS["shop_web"])


def test_every_way_to_read_gives_the_same_bytes_of_the_size_that_is_told(folder: Path) -> None:
    tree = versioned(folder)
    for path, entry in tree.entries.items():
        if isinstance(entry, File):
            data = tree.read(path)
            assert len(data) == entry.size
            assert b"".join(tree.stream(path)) == data
            assert tree.read(path, 7) == data[:7]
            with tree.open(path) as file:
                assert file.seek(0, 2) == len(data)
                file.seek(1)
                assert file.read() == data[1:]


def test_the_files_own_text_is_nobodys_to_change(folder: Path) -> None:
    tree = versioned(folder)
    assert tree.read("lib/shop_web-0.1.0+bb/priv/a") == b"lib/shop-0.1.0"


CONFIG = b"""\
%% coding: utf-8
%% RUNTIME_CONFIG=true
[{shop, [{paths, {system, <<"ROOT">>, @}}, {kept, ["0.1.0", <<"releases/0.1.0.1">>]}]}].
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'<<"/releases/0.1.0/runtime.exs">>', b'<<"/releases/0.1.0+ff/runtime.exs">>'),
        (b'"releases/0.1.0"', b'"releases/0.1.0+ff"'),
        (format_term(list(map(ord, "lib/shop-0.1.0/priv"))).encode(), b'"lib/shop-0.1.0+aa/priv"'),
        (b"#{a => [<<47,108,105,98,47>> | b]}", b"#{a => [<<47,108,105,98,47>> | b]}"),
    ],
)
def test_the_configuration_leads_to_the_new_folders(
    folder: Path, before: bytes, after: bytes
) -> None:
    (folder / "releases/0.1.0/sys.config").write_bytes(CONFIG.replace(b"@", before))
    found = versioned(folder).read("releases/0.1.0+ff/sys.config")
    assert encode(consult(found)) == encode(consult(CONFIG.replace(b"@", after)))
    assert b"%% RUNTIME_CONFIG=true\n" in found


def test_configuration_that_names_no_version_stays_to_the_byte(folder: Path) -> None:
    data = b"%% by hand\n[{shop,[]}] .\n"
    (folder / "releases/0.1.0/sys.config").write_bytes(data)
    assert versioned(folder).read("releases/0.1.0+ff/sys.config") == data


def test_links_between_applications_lead_where_they_led(folder: Path) -> None:
    (folder / "lib/shop_web-0.1.0/priv/other").symlink_to("../../shop-0.1.0/priv/static")
    tree = versioned(folder)
    assert tree.entries["lib/shop_web-0.1.0+bb/priv/other"] == Link(
        "../../shop-0.1.0+aa/priv/static"
    )


RELX = b"""\
#!/bin/sh
relx_usage() { :; }
REL_VSN="0.1.0"
export RELEASE_VSN=0.1.0
OTHER_VSN="0.1.0"
exec "$ROOT/bin/shop-0.1.0" -boot "$ROOT/releases/0.1.0/start" -pa "$ROOT/lib/shop-0.1.0/ebin"
"""


def test_the_scripts_and_the_database_of_relx_follow(tmp_path: Path) -> None:
    folder = make_relx_release(tmp_path, applications=[*APPLICATIONS, WEB])
    (folder / "bin/shop-0.1.0").write_bytes(RELX)
    (folder / "bin/shop").unlink()
    (folder / "bin/shop").symlink_to("shop-0.1.0")
    (folder / "releases/RELEASES").write_text(
        '[{release,"shop","0.1.0","13.1.5",[{kernel,"8.5.3","./lib/kernel-8.5.3"},'
        '{shop,"0.1.0","./lib/shop-0.1.0"}],permanent}].\n'
    )
    (folder / "releases/0.1.0/sys.config.src").write_text('[{a, "releases/0.1.0/${B}"}].')
    tree = versioned(folder)
    assert tree.entries["bin/shop"] == Link("shop-0.1.0+ff")
    said = tree.read("bin/shop-0.1.0+ff").decode()
    assert said.splitlines()[2:] == [
        'REL_VSN="0.1.0+ff"',
        "export RELEASE_VSN=0.1.0+ff",
        'OTHER_VSN="0.1.0"',
        'exec "$ROOT/bin/shop-0.1.0+ff" -boot "$ROOT/releases/0.1.0+ff/start" '
        '-pa "$ROOT/lib/shop-0.1.0+aa/ebin"',
    ]
    assert consult(tree.read("releases/RELEASES")) == [
        [
            (
                Atom("release"),
                "shop",
                "0.1.0+ff",
                "13.1.5",
                [
                    (Atom("kernel"), "8.5.3", "./lib/kernel-8.5.3"),
                    (Atom("shop"), "0.1.0+aa", "./lib/shop-0.1.0+aa"),
                ],
                Atom("permanent"),
            )
        ]
    ]
    source = tree.read("releases/0.1.0+ff/sys.config.src")
    assert source == b'[{a, "releases/0.1.0+ff/${B}"}].'
    assert read_release(tree).version == VERSION


def test_a_broken_boot_script_is_named(folder: Path) -> None:
    (folder / "releases/0.1.0/start.boot").write_bytes(b"no term")
    with pytest.raises(ReleaseError, match=r"releases/0\.1\.0/start\.boot is broken"):
        versioned(folder)


def test_a_release_by_distillery_is_refused(tmp_path: Path) -> None:
    folder = make_distillery_release(tmp_path)
    with pytest.raises(ReleaseError, match="not by Distillery"):
        VersionedTree(read_release(Folder(folder)), {}, VERSION)
