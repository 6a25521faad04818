"""action.yml for a pet: image and bundle in a registry, and the plan's verdict in the summary."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.action.conftest import Machine
from tests.echo import ECHO
from tests.oracles import run

pytestmark = [pytest.mark.release, pytest.mark.oracle]

APPUP = """\
{"0.2.0",
 [{"0.1.0", [{load_module, echo_line}]}],
 [{"0.1.0", [{load_module, echo_line}]}]}.
"""


def project(folder: Path) -> Path:
    """The echo as a project of its own, with a recipe and an appup for its next version."""
    kept = shutil.ignore_patterns("_build")
    shutil.copytree(ECHO, folder, dirs_exist_ok=True, ignore=kept)
    (folder / "imagesmith.yml").write_text(
        "version: 1\nname: echo\nrelease: {path: _build/default/rel/echo}\npet: {appups: appups}\n"
    )
    appup = folder / "appups/0.2.0/echo.appup"
    appup.parent.mkdir(parents=True)
    appup.write_text(APPUP)
    return folder


def release(folder: Path, version: str) -> None:
    """What a step before the action does: `rebar3 release`."""
    for name, old, new in (
        ("rebar.config", '{echo, "0.1.0"}', f'{{echo, "{version}"}}'),
        ("apps/echo/src/echo.app.src", '{vsn, "0.1.0"}', f'{{vsn, "{version}"}}'),
        ("apps/echo/src/echo_line.erl", "Socket, Line)", "Socket, string:uppercase(Line))"),
    ):
        file = folder / name
        text = file.read_text()
        if version != "0.1.0":
            assert old in text
            file.write_text(text.replace(old, new))
    subprocess.run([folder / "build"], check=True, stdout=subprocess.DEVNULL)


def test_a_pet_s_next_version_comes_with_its_bundle_and_its_plan(
    machine: Machine, tmp_path: Path, host: str
) -> None:
    folder = project(tmp_path / "workspace")
    release(folder, "0.1.0")
    tag, old = f"{host}/echo:{{version}}\n{host}/echo:latest", f"{host}/echo:latest"
    first = machine().run(mode="pet", tags=tag, push="true", plan_against=old)
    assert first.code == 0, first.log
    assert not first.outputs["verdict"]  # there is no earlier one, which is no mistake
    [notice] = [item.message for item in first.annotations if item.kind == "notice"]
    assert notice == f"plan-against: {old} is not there yet"

    release(folder, "0.2.0")
    done = machine().run(
        mode="pet",
        tags=tag,
        push="true",
        upgrade_from=old,
        bundle=f"{host}/echo:0.1.0-0.2.0",
        plan_against=old,
    )
    assert done.code == 0, done.log
    bundle = done.outputs["bundle"]
    assert bundle.startswith(f"{host}/echo:0.1.0-0.2.0@sha256:")
    manifest = json.loads(run("crane", "manifest", bundle))
    assert "upgrade" in manifest["artifactType"]
    digest = run("crane", "digest", f"{host}/echo:0.2.0").strip()
    assert done.outputs["image"] == f"{host}/echo:0.2.0@{digest}"
    assert done.outputs["digest"] == digest
    assert done.outputs["verdict"] == "hot"
    assert "**hot**" in done.outputs["plan"]
    assert done.outputs["plan"] in done.summary
    assert bundle in done.summary


def test_an_upgrade_that_cannot_be_hot_stops_before_anything_is_written(
    machine: Machine, tmp_path: Path, host: str
) -> None:
    folder = project(tmp_path / "workspace")
    release(folder, "0.1.0")
    tag, old = f"{host}/echo:{{version}}", f"{host}/echo:0.1.0"
    assert machine().run(mode="pet", tags=tag, push="true").code == 0
    release(folder, "0.2.0")
    appup = folder / "appups/0.2.0/echo.appup"
    appup.write_text(APPUP.replace("{load_module, echo_line}", "restart_emulator"))
    done = machine().run(
        mode="pet", tags=tag, push="true", upgrade_from=old, bundle="out.upgrade.tar"
    )
    assert done.code == 1
    [error] = [item for item in done.annotations if item.kind == "error"]
    assert "echo" in error.message
    assert run("crane", "ls", f"{host}/echo").split() == ["0.1.0"]
    assert not (folder / "out.upgrade.tar").exists()
    assert not any(done.outputs.values())
