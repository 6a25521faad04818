"""What is said at build of what will go wrong at run time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from imagesmith.beam.release import Release, read_release
from imagesmith.beam.tree import Folder
from imagesmith.image.warnings import MOST_PORTS, warnings
from tests.beam.beams import module
from tests.trees import (
    APPLICATIONS,
    App,
    make_distillery_release,
    make_release,
    make_relx_release,
)


def read(folder: Path) -> Release:
    return read_release(Folder(folder), own=["shop"])


def said(folder: Path, **env: str) -> list[str]:
    return warnings(read(folder), env)


def with_apps(folder: Path, *names: str) -> Path:
    return make_release(folder, applications=[*APPLICATIONS, *(App(name) for name in names)])


def test_a_release_without_fault_is_warned_of_nothing(tmp_path: Path) -> None:
    assert said(with_apps(tmp_path, "phoenix")) == []


# --- the cookie --------------------------------------------------------------


def test_a_cookie_in_vm_args_is_told_but_not_shown(tmp_path: Path) -> None:
    (warning,) = said(make_relx_release(tmp_path))
    assert warning.startswith("releases/0.1.0/vm.args.src: the cookie of -setcookie is a secret")
    assert "RELEASE_COOKIE gives it at start" in warning
    assert "a-secret" not in warning


def test_the_variable_that_gave_the_cookie_is_named(tmp_path: Path) -> None:
    (warning,) = said(make_relx_release(tmp_path, vm_args=b"-setcookie ${MINE:-a-secret}\n"))
    assert "RELEASE_COOKIE gives it at start, or MINE as before, or the file" in warning
    assert "a-secret" not in warning


def test_mix_releases_are_no_exception(tmp_path: Path) -> None:
    folder = make_release(tmp_path)
    (folder / "releases/0.1.0/vm.args").write_text("-setcookie ${MINE}\n")
    (warning,) = said(folder)
    assert "MINE" not in warning  # mix fills nothing in


# --- clusters ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["libcluster", "dns_cluster"])
def test_a_cluster_needs_a_common_cookie(tmp_path: Path, name: str) -> None:
    (warning,) = said(with_apps(tmp_path, name))
    assert warning.startswith(f"{name} forms a cluster")
    assert "set RELEASE_COOKIE" in warning


@pytest.mark.parametrize("name", ["RELEASE_COOKIE", "RELEASE_COOKIE_FILE"])
def test_a_cluster_whose_recipe_gives_the_cookie_is_fine(tmp_path: Path, name: str) -> None:
    assert said(with_apps(tmp_path, "libcluster"), **{name: "x"}) == []


def test_so_is_one_whose_env_sh_does(tmp_path: Path) -> None:
    folder = with_apps(tmp_path, "libcluster")
    (folder / "releases/0.1.0/env.sh").write_text('export RELEASE_COOKIE="$(cat /etc/c)"\n')
    assert said(folder) == []


# --- applications that write into the release --------------------------------


def test_tzdata_is_told_what_to_set(tmp_path: Path) -> None:
    (warning,) = said(with_apps(tmp_path, "tzdata"))
    assert "config :tzdata, :autoupdate, :disabled" in warning
    assert "config :tzdata, :data_dir" in warning


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sys.config", '[{tzdata,[{data_dir,"/data"}]}].'),
        ("sys.config", "[{tzdata,[{autoupdate,disabled}]}]."),
        ("runtime.exs", 'import Config\nconfig :tzdata, :data_dir, System.get_env("D")\n'),
    ],
)
def test_tzdata_that_is_configured_is_fine(tmp_path: Path, file: str, text: str) -> None:
    folder = with_apps(tmp_path, "tzdata")
    (folder / f"releases/0.1.0/{file}").write_text(text)
    assert said(folder) == []


def _named_in_literals(name: bytes) -> bytes:
    return module({b"LitT": len(name).to_bytes(4) + zlib.compress(name)})


@pytest.mark.parametrize(
    "beam",
    [
        module(name="Elixir.Tz.UpdatePeriodically"),
        _named_in_literals(b"\0Elixir.Tz.UpdatePeriodically\0"),
        module({b"LitT": bytes(4) + b"Elixir.Tz.UpdatePeriodically"}),
    ],
)
def test_tz_is_warned_of_where_the_team_starts_its_updater(tmp_path: Path, beam: bytes) -> None:
    folder = with_apps(tmp_path, "tz")
    assert said(folder) == []
    (folder / "lib/shop-0.1.0/ebin/Elixir.Shop.beam").write_bytes(beam)
    (warning,) = said(folder)
    assert "config :tz, :data_dir" in warning
    (folder / "releases/0.1.0/sys.config").write_text('[{tz,[{data_dir,"/data"}]}].')
    assert said(folder) == []


def test_lager_is_told_what_to_set(tmp_path: Path) -> None:
    (warning,) = said(with_apps(tmp_path, "lager"))
    assert "log_root" in warning


# --- vm.args and shells ------------------------------------------------------


@pytest.mark.parametrize(("ports", "count"), [(65536, 0), (MOST_PORTS, 0), (134217727, 1)])
def test_an_enormous_table_of_ports_is_told(tmp_path: Path, ports: int, count: int) -> None:
    folder = make_release(tmp_path)
    (folder / "releases/0.1.0/vm.args").write_text(f"## ports\n+Q {ports}\n")
    found = said(folder)
    assert len(found) == count
    assert all(f"+Q {ports}" in warning for warning in found)


def test_distillery_needs_bash_and_was_not_run(tmp_path: Path) -> None:
    _, warning = said(make_distillery_release(tmp_path))
    assert "need bash" in warning
    assert "never run" in warning


@pytest.mark.parametrize("make", [make_release, make_relx_release, make_distillery_release])
def test_a_module_that_is_broken_is_another_ones_concern(
    tmp_path: Path, make: Callable[..., Path]
) -> None:
    apps: Sequence[App] = [*APPLICATIONS, App("tz")]
    folder = make(tmp_path, applications=apps)
    (folder / "lib/shop-0.1.0/ebin/Elixir.Shop.beam").write_bytes(b"FOR1")
    assert not [text for text in said(folder) if "tz" in text]
