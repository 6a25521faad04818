"""Reading a release: what belongs to it, and what is said of one that is broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesmith.beam.origin import Origin
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.tree import Folder
from imagesmith.errors import ImagesmithError, ReleaseError, UsageError
from tests.trees import APPLICATIONS, App, make_application, make_release

REL = "releases/0.1.0/shop.rel"
RESOURCE = "lib/shop-0.1.0/ebin/shop.app"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_release(tmp_path / "rel")


def read(folder: Path) -> Release:
    return read_release(Folder(folder))


def test_a_release_tells_its_name_its_versions_and_its_applications(folder: Path) -> None:
    release = read(folder)
    assert (release.name, release.version, release.erts_version) == ("shop", "0.1.0", "13.1.5")
    assert (release.folder, release.erts_folder) == ("releases/0.1.0", "erts-13.1.5")
    names = [app.name for app in release.applications]
    assert names == ["kernel", "stdlib", "elixir", "jason", "shop"]  # as the .rel has them
    shop = release.applications[-1]
    assert (shop.version, shop.folder) == ("0.1.0", "lib/shop-0.1.0")
    assert shop.modules == ("Elixir.Shop", "Elixir.Shop.Cart")
    assert shop.requires == ("kernel", "stdlib", "elixir", "jason")
    assert shop.resource_file == RESOURCE
    assert shop.origin is Origin.OWN


def test_all_of_a_fresh_release_belongs_to_it(folder: Path) -> None:
    release = read(folder)
    assert list(release.paths) == list(release.tree.entries)
    assert "releases/0.1.0/consolidated/Elixir.String.Chars.beam" in release.paths


def test_of_several_versions_only_the_current_one_counts(tmp_path: Path) -> None:
    fresh = make_release(tmp_path / "fresh", version="0.2.0", erts="14.0")
    old = make_release(tmp_path / "rel", applications=[*APPLICATIONS, App("dropped")])
    again = make_release(old, version="0.2.0", erts="14.0")
    release = read(again)
    assert (release.version, release.erts_version) == ("0.2.0", "14.0")
    assert release.paths == read(fresh).paths
    left = {
        "/".join(path.split("/")[:2]) for path in release.tree.entries.keys() - {*release.paths}
    }
    assert left == {"erts-13.1.5/bin", "releases/0.1.0", "lib/dropped-1.0.0"}


def test_of_an_application_in_two_versions_the_one_in_the_rel_counts(folder: Path) -> None:
    make_application(folder, App("jason", "1.5.0", ("Elixir.Jason", "Elixir.Jason.New")))
    make_application(folder, App("jason", "1.4.0-rc.1"))
    release = read(folder)
    assert [app.version for app in release.applications if app.name == "jason"] == ["1.4.0"]
    assert {path.split("/")[1] for path in release.paths if path.startswith("lib/jason")} == {
        "jason-1.4.0"
    }


def test_files_that_an_overlay_put_anywhere_belong_to_the_release(folder: Path) -> None:
    for path in ("bin/server", "README.md", "extra/a/b", "releases/note", "libexec/x"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    assert {"bin/server", "README.md", "extra/a/b", "releases/note", "libexec/x"} <= {
        *read(folder).paths
    }


def test_included_applications_count_as_required(tmp_path: Path) -> None:
    apps = [*APPLICATIONS, App("hidden"), App("outer", included=("hidden",))]
    found = {app.name: app for app in read(make_release(tmp_path, applications=apps)).applications}
    assert found["outer"].requires == ("kernel", "stdlib", "hidden")
    assert found["hidden"].origin is Origin.THIRD_PARTY
    assert found["outer"].origin is Origin.OWN


def test_bare_releases_of_relx_are_not_taken_for_the_release(folder: Path) -> None:
    for name in ("start_clean", "start_sasl", "no_dot_erlang"):
        (folder / f"releases/0.1.0/{name}.rel").write_text("not even read")
    (folder / "releases/0.1.0/deeper").mkdir()
    (folder / "releases/0.1.0/deeper/other.rel").write_text("not even read")
    assert read(folder).name == "shop"


@pytest.mark.parametrize(
    "resource",
    [
        "{application, shop, []}.",
        "{application, shop, [{vsn}, {modules, none}, {[1], 2}, odd, {a, b, c}, #{}]}.",
        '{application, shop, [{applications, "ab"}, {"modules", [m]}]}.',
    ],
)
def test_a_resource_file_that_says_little_makes_an_application_of_little(
    folder: Path, resource: str
) -> None:
    (folder / RESOURCE).write_text(resource)
    shop = read(folder).applications[-1]
    assert (shop.modules, shop.requires) == ((), ())


# --- what is broken ---------------------------------------------------------


def _refused(folder: Path, kind: type[ImagesmithError] = ReleaseError) -> str:
    """What is said of it, without the folder's name, which each message begins with."""
    with pytest.raises(ImagesmithError) as caught:
        read(folder)
    error = caught.value
    assert type(error) is kind
    assert error.hint
    start = f"{folder}: "
    assert error.message.startswith(start)
    assert error.message.isprintable()
    return error.message.removeprefix(start)


@pytest.mark.parametrize("found", ["nothing", "a project", "a folder in its place"])
def test_a_folder_without_a_release_is_the_users_mistake(tmp_path: Path, found: str) -> None:
    if found == "a project":
        (tmp_path / "mix.exs").write_text("")
    elif found == "a folder in its place":
        (tmp_path / "releases/start_erl.data").mkdir(parents=True)
    said = _refused(tmp_path, UsageError)
    assert said == "this is no release: it has no releases/start_erl.data"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", "''"),
        (b" \n", "''"),
        (b"13.1.5", "'13.1.5'"),
        (b"1 2 3", "'1 2 3'"),
        (b"a\xff\x1b b c", "'a\ufffd\\x1b b c'"),
        (b"x" * 1000, "'" + "x" * 80 + "'"),
    ],
)
def test_start_data_must_name_two_versions(folder: Path, data: bytes, shown: str) -> None:
    (folder / "releases/start_erl.data").write_bytes(data)
    assert _refused(folder) == (
        "releases/start_erl.data must hold the versions of ERTS and of the release, "
        f"but holds {shown}"
    )


def test_start_data_may_end_with_a_newline(folder: Path) -> None:
    (folder / "releases/start_erl.data").write_bytes(b"13.1.5 0.1.0\n")
    assert read(folder).version == "0.1.0"


def test_the_rel_file_must_be_there(folder: Path) -> None:
    (folder / REL).unlink()
    assert _refused(folder) == "releases/0.1.0 has no .rel file"
    (folder / REL).mkdir()
    assert _refused(folder) == "releases/0.1.0 has no .rel file"


def test_a_version_that_is_not_there_has_no_rel_file(folder: Path) -> None:
    (folder / "releases/start_erl.data").write_text("13.1.5 ../0.1.0")
    assert _refused(folder) == "releases/../0.1.0 has no .rel file"
    (folder / "releases/start_erl.data").write_bytes(b"13.1.5 0.1\x1b")
    assert _refused(folder) == r"'releases/0.1\x1b' has no .rel file"


def test_there_must_be_one_rel_file(folder: Path) -> None:
    (folder / "releases/0.1.0/other\n.rel").write_text("")
    said = _refused(folder)
    assert said == r"releases/0.1.0 has several .rel files: 'other\n.rel', shop.rel"


@pytest.mark.parametrize(
    "term",
    [
        "",
        "a. b.",
        "{release}.",
        '{application, {"shop", "0.1.0"}, {erts, "13"}, []}.',
        '{release, "shop", {erts, "13"}, []}.',
        '{release, {"shop", "0.1.0"}, {erts, "13"}, kernel}.',
        '{release, {"shop", "0.1.0"}, {erts, "13"}, [kernel]}.',
        '{release, {"shop", "0.1.0"}, {erts, "13"}, [{"kernel", "1"}]}.',
        '{release, {"shop", "0.1.0"}, {erts, "13"}, [{kernel}]}.',
        '{release, {"shop", "0.1.0"}, {erts, "13"}, [{kernel, 8}]}.',
        '{release, {"shop", "0.1.0"}, {erts, "13"}, [{kernel, "1"}, {kernel, "2"}]}.',
        '{release, {"shop", 1}, {erts, "13"}, []}.',
        '{release, {shop, "0.1.0"}, {erts, "13"}, []}.',
    ],
)
def test_a_rel_file_of_another_shape_is_broken(folder: Path, term: str) -> None:
    (folder / REL).write_text(term)
    assert _refused(folder).startswith(f"{REL} is broken: it should hold ")


def test_a_rel_file_that_is_no_term_is_named_with_line_and_column(folder: Path) -> None:
    (folder / REL).write_text("{release,\n  oops oops}.\n")
    assert _refused(folder).startswith(f"{REL}:2:8: found ")


def test_the_rel_file_must_be_of_the_version_that_start_data_names(folder: Path) -> None:
    text = (folder / REL).read_text()
    (folder / REL).write_text(text.replace('{"shop", "0.1.0"}', '{"shop", "0.1.1"}'))
    assert _refused(folder) == (
        f"{REL} is of version 0.1.1, but releases/start_erl.data names 0.1.0"
    )


@pytest.mark.parametrize("path", [RESOURCE, "lib/jason-1.4.0/ebin/jason.app"])
def test_every_listed_application_must_be_there(folder: Path, path: str) -> None:
    (folder / path).unlink()
    name, version = path.split("/")[1].split("-")
    assert _refused(folder) == (
        f"the application {name} {version}, which {REL} lists, is missing: there is no {path}"
    )


def test_an_application_of_another_version_is_missing(folder: Path) -> None:
    (folder / "lib/jason-1.4.0").rename(folder / "lib/jason-1.5.0")
    assert "the application jason 1.4.0, which" in _refused(folder)


@pytest.mark.parametrize("term", ["", "shop.", "{application, shop}.", "{application, shop, a}."])
def test_a_resource_file_of_another_shape_is_broken(folder: Path, term: str) -> None:
    (folder / RESOURCE).write_text(term)
    assert _refused(folder).startswith(f"{RESOURCE} is broken: it should hold ")


def test_a_resource_file_that_is_no_term_is_named_with_line_and_column(folder: Path) -> None:
    (folder / RESOURCE).write_text("{application, shop, [}.")
    assert _refused(folder).startswith(f"{RESOURCE}:1:22: found ")


def test_names_are_shown_escaped(folder: Path) -> None:
    text = (folder / REL).read_text()
    (folder / REL).write_text(text.replace("{jason,", r"{'ja\nson',"))
    assert r"the application 'ja\nson 1.4.0', which" in _refused(folder)
    (folder / REL).rename(folder / os.fsdecode(b"releases/0.1.0/a\xff\n.rel"))
    assert r"which 'releases/0.1.0/a\udcff\n.rel' lists" in _refused(folder)


# --- links ------------------------------------------------------------------


def _link(path: str, target: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)

    return make


@pytest.mark.parametrize(
    ("make", "link"),
    [
        (_link("lib/shop-0.1.0/priv/data", "/var/data"), "lib/shop-0.1.0/priv/data -> /var/data"),
        (_link("current", "../other"), "current -> ../other"),
        (_link("releases/0.1.0/vm.args.src", "/x"), "releases/0.1.0/vm.args.src -> /x"),
    ],
)
def test_a_link_of_the_release_that_leaves_it_is_refused(
    folder: Path, make: Callable[[Path], None], link: str
) -> None:
    make(folder)
    assert _refused(folder) == f"the symbolic link {link} leaves the release"


def test_links_of_older_versions_are_nobodys_concern(folder: Path) -> None:
    for path in ("lib/old-1.0/priv/x", "releases/0.0.9/x", "erts-12/x"):
        _link(path, "/outside")(folder)
    assert read(folder).version == "0.1.0"


def test_an_application_that_is_linked_in_as_relx_does_for_developers_is_said_so(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "lib/shop-0.1.0").rename(tmp_path / "outside")
    _link("lib/shop-0.1.0", str(tmp_path / "outside"))(folder)
    with pytest.raises(ReleaseError, match=r"lib/shop-0\.1\.0 -> /.* leaves the release") as caught:
        read(folder)
    assert caught.value.hint and "{dev_mode, false}" in caught.value.hint
