"""`imagesmith cache why` on what really changes layers between two builds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.echo import ECHO, build_echo
from tests.shop import Shop, copy_source, run_build

pytestmark = pytest.mark.release

IMPLEMENTATION = """
defmodule Web.Basket do
  defstruct []
end

defimpl Core.Describe, for: Web.Basket do
  def describe(_), do: "a basket"
end
"""


@dataclass(frozen=True)
class Found:
    """The `--json` document: groups and names of the layers that differ, and files by name."""

    layers: set[str]
    files: dict[str, tuple[list[str], dict[str, str]]]
    settings: list[str]

    def causes(self, name: str) -> dict[str, str]:
        """The causes, with their facts, of a module, or of the file whose path ends so."""
        if name in self.files:
            return self.files[name][1]
        [(_, reasons)] = [found for path, found in self.files.items() if path.endswith(f"/{name}")]
        return reasons

    def chunks(self, name: str) -> list[str]:
        """The chunks that differ of a module."""
        return self.files[name][0]

    @property
    def every_cause(self) -> set[str]:
        return {cause for _, reasons in self.files.values() for cause in reasons}


def why(before: Path, after: Path) -> Found:
    done = subprocess.run(
        [sys.executable, "-m", "imagesmith", "cache", "why", before, after, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    files = {
        file["module"] or file["path"]: (
            [chunk["name"] for chunk in file["chunks"] or ()],
            {reason["cause"]: reason["fact"] for reason in file["reasons"]},
        )
        for layer in document["layers"]
        for file in layer["files"]
    }
    layers = {f"{layer['group']}: {layer['name']}" for layer in document["layers"]}
    return Found(layers, files, document["settings"])


def shop_with(work: Path, change: Callable[[Path], None], **environment: str) -> Path:
    """The shop's web, built from changed sources."""
    copy_source(work)
    change(work)
    subprocess.run(
        [work / "build", "--release", "shop_web"],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    return work / "_build/prod/rel/shop_web"


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def change_a_little_everywhere(work: Path) -> None:
    apps = work / "apps"
    boom = apps / "web/lib/web/boom.ex"
    boom.write_text(f"# A remark.\n{boom.read_text()}")
    (apps / "web/lib/web/basket.ex").write_text(IMPLEMENTATION)
    replace(work / "config/config.exs", 'currency: "EUR"', 'currency: "USD"')
    (apps / "core/priv/catalogue.csv").chmod(0o755)
    (apps / "core/priv/templates/welcome.txt").write_text("Other words.\n")
    replace(apps / "core/c_src/core_nif.c", "0x01000193", "0x01000195")
    name = "defmodule Core.Money do"
    replace(apps / "core/lib/core/money.ex", name, f"{name}\n  def new_here, do: 7\n")


@pytest.fixture(scope="module")
def changed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """One build with a change of every kind, each in another file."""
    work = tmp_path_factory.mktemp("changed") / "shop"
    return why(shop.web, shop_with(work, change_a_little_everywhere))


def test_a_comment_moves_lines_and_nothing_else(changed: Found) -> None:
    assert changed.chunks("Web.Boom") == ["Line"]
    assert list(changed.causes("Web.Boom")) == ["moved-lines"]


def test_an_implementation_rebuilds_its_protocol_wherever_it_stands(changed: Found) -> None:
    fact = "the implementation for Web.Basket came"
    assert changed.causes("Core.Describe") == {"protocol": fact}
    assert "protocols: protocols" in changed.layers
    assert list(changed.causes("Core.Describe.Web.Basket")) == ["added"]


def test_compile_time_configuration_is_told_by_its_key(changed: Found) -> None:
    [(cause, fact)] = changed.causes("Catalog").items()
    assert cause == "compile-time-config"
    assert fact.startswith("catalog.app recorded another value of :catalog, :currency, and ")
    assert list(changed.causes("ebin/catalog.app")) == ["compile-time-config"]
    assert changed.causes("sys.config") == {"configuration": ":catalog, :currency in sys.config"}


def test_a_priv_files_content_and_mode(changed: Found) -> None:
    assert list(changed.causes("templates/welcome.txt")) == ["content"]
    assert changed.causes("priv/catalogue.csv") == {"mode": "644 → 755"}


def test_a_nif_that_was_compiled_anew_is_told_by_its_sections(changed: Found) -> None:
    [(cause, fact)] = changed.causes("core_nif.so").items()
    assert cause == "native"
    assert ".text" in fact
    assert "native: native" in changed.layers


def test_changed_code_is_told_with_the_functions_that_came(changed: Found) -> None:
    causes = changed.causes("Core.Money")
    assert list(causes) == ["code"]
    assert {"Code", "ExpT"} <= set(changed.chunks("Core.Money"))


def test_a_version_alone_is_a_version(shop: Shop, tmp_path: Path) -> None:
    def bump(work: Path) -> None:
        (work / "VERSION").write_text("0.1.1\n")

    found = why(shop.web, shop_with(tmp_path / "s", bump))
    assert found.layers == {"release: release"}
    assert found.every_cause == {"version"}
    assert found.causes("ebin/core.app") == {"version": "core 0.1.0 → 0.1.1"}


def test_another_folder_and_umask_are_the_same_layers(shop: Shop, tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        release = shop_with(tmp_path / "elsewhere", lambda _: None)
    finally:
        os.umask(previous)
    assert why(shop.web, release) == Found(set(), {}, [])


def test_a_release_that_was_not_stripped(shop: Shop, tmp_path: Path) -> None:
    found = why(shop.web, shop_with(tmp_path / "s", lambda _: None, SHOP_STRIP="false"))
    assert found.every_cause == {"strip"}
    assert found.causes("Web.Boom") == {"strip": "only B has Dbgi, Docs, ExCk and Type"}
    assert not {name for name in found.layers if name.startswith(("native", "release"))}


def test_the_next_version_of_the_shop(shop: Shop, tmp_path: Path) -> None:
    work = ("--work", str(tmp_path / "shop"))
    [release] = run_build("--version", "0.2.0", "--release", "shop_web", *work)
    found = why(shop.web, release)
    fact = "the implementation for Catalog.Bundle came"
    assert found.causes("Core.Describe") == {"protocol": fact}
    assert list(found.causes("Core.Counter")) == ["code"]
    assert list(found.causes("Catalog.Csv")) == ["code"]
    assert found.causes("ebin/catalog.app") == {
        "version": "catalog 0.1.0 → 0.2.0",
        "application-resource": "modules changed",
    }


def test_another_elixir_and_otp_are_told_by_their_versions(shop: Shop, shop_otp27: Shop) -> None:
    found = why(shop.web, shop_otp27.web)
    fact = found.causes("Web.Boom")["toolchain"]
    assert "OTP" in fact or "ERTS 13." in fact
    assert "dependency" in found.causes("Enum")
    assert "toolchain" in found.causes("bin/beam.smp")


def test_a_release_and_the_image_of_it_have_the_same_layers(shop: Shop, tmp_path: Path) -> None:
    where = ("--engine", "embedded", "-o", "type=oci,dest=shop.tar")
    build = [sys.executable, "-m", "imagesmith", "build", str(shop.web), *where]
    subprocess.run(build, check=True, capture_output=True, cwd=tmp_path)
    same = Found(set(), {}, [])
    assert why(tmp_path / "shop.tar", shop.web) == same
    assert why(shop.web, tmp_path / "shop.tar") == same


def echo(work: Path, erl_opts: str) -> Path:
    """The echo, built in a folder by other options."""
    work.mkdir()
    for name in ("apps", "config"):
        shutil.copytree(ECHO / name, work / name)
    shutil.copy2(ECHO / "build", work)
    text = (ECHO / "rebar.config").read_text()
    (work / "rebar.config").write_text(text.replace("debug_info, deterministic", erl_opts))
    subprocess.run([work / "build"], check=True, capture_output=True)
    return work / "_build/default/rel/echo"


def test_rebar3_without_deterministic_writes_absolute_paths(tmp_path: Path) -> None:
    found = why(echo(tmp_path / "one", "debug_info"), echo(tmp_path / "two", "debug_info"))
    causes = found.causes("echo_counter")
    assert list(causes) == ["absolute-paths"]
    assert str(tmp_path / "one") in causes["absolute-paths"]


def test_rebar3_with_deterministic_gives_the_same_layers(tmp_path: Path) -> None:
    one = build_echo("--work", str(tmp_path / "one"))
    other = build_echo("--work", str(tmp_path / "two"))
    assert not {name for name in why(one, other).layers if name != "release: release"}
