from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagesmith.base.base import Base
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.tree import Folder
from imagesmith.errors import ReleaseError
from imagesmith.image.cattle import cattle_image, command, plan_cattle
from imagesmith.image.image import Image
from imagesmith.layer.build import build_layer
from imagesmith.layer.label import LAYERS_LABEL
from imagesmith.layer.member import FileMember
from imagesmith.layer.store import Scratch
from imagesmith.oci.spec import Platform
from imagesmith.recipe import Recipe
from imagesmith.recipe.parse import parse
from tests.oci.images import make, make_layer
from tests.trees import make_release

CREATED = "1980-01-01T00:00:00Z"
BASE = Base(
    (make_layer("base"),),
    Platform("amd64"),
    "made",
    env={"PATH": "/opt/bin", "LANG": "C", "OF": "base"},
    labels={"of": "base", "org.opencontainers.image.title": "debian"},
    annotations={"org.opencontainers.image.base.name": "debian"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_release(tmp_path / "rel")


def recipe(folder: Path, more: str = "") -> Recipe:
    return parse(f"version: 1\nrelease: {{path: .}}\n{more}".encode(), "recipe.yml", folder)


def release(folder: Path) -> Release:
    return read_release(Folder(folder))


def image(folder: Path, more: str = "") -> Image:
    wanted, held = recipe(folder, more), release(folder)
    (folder.parent / "scratch").mkdir()
    store = Scratch(folder.parent / "scratch")
    layers = [build_layer(plan, store) for plan in plan_cattle(held, wanted)]
    return cattle_image(held, wanted, BASE, layers, name="web", created=CREATED)


def config(made: Image) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(made.config)
    return document


def test_the_configuration_runs_the_release_as_nobody_from_its_root(folder: Path) -> None:
    settings = config(image(folder, "ports: [4000]\nenv: {PHX_HOST: shop.example}\n"))["config"]
    assert settings["Cmd"] == ["/app/bin/shop", "start"]
    assert settings["WorkingDir"] == "/app"
    assert settings["User"] == "65532:65532"
    assert settings["StopSignal"] == "SIGTERM"
    assert "Entrypoint" not in settings
    assert [port.partition("/")[0] for port in settings["ExposedPorts"]] == ["4000"]


def test_the_recipes_environment_wins_over_ours_and_ours_over_the_bases(folder: Path) -> None:
    env = config(image(folder, "env: {RELEASE_TMP: /run, A: b}\n"))["config"]["Env"]
    assert set(env) == {
        "PATH=/opt/bin",  # the base knows its own best
        "LANG=C.UTF-8",
        "OF=base",
        "RELEASE_TMP=/run",
        "A=b",
    }


def test_the_bases_layers_lie_at_the_bottom(folder: Path) -> None:
    made = image(folder)
    assert made.layers[0].diff_id == BASE.layers[0].diff_id
    assert [layer.group for layer in made.layers[1:3]] == ["native", "otp"]
    assert config(made)["rootfs"]["diff_ids"] == [layer.diff_id for layer in made.layers]


def test_a_label_leads_from_diff_ids_to_the_keys_of_our_layers(folder: Path) -> None:
    made = image(folder)
    keys = json.loads(config(made)["config"]["Labels"][LAYERS_LABEL])
    assert keys == {layer.diff_id: layer.key for layer in made.layers[1:]}


def test_labels_tell_of_this_image_and_keep_what_the_base_said_besides(folder: Path) -> None:
    labels = config(image(folder, "labels: {team: a}\n"))["config"]["Labels"]
    assert labels["of"] == "base"
    assert labels["team"] == "a"
    assert labels["org.opencontainers.image.title"] == "web"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert labels["io.imagesmith.mode"] == "cattle"


def test_the_same_release_gives_the_same_image(tmp_path: Path) -> None:
    digests = {image(make_release(tmp_path / name / "rel")).digest for name in ("a", "b")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, ("/app/bin/shop", "start")),
        (["start_iex"], ("/app/bin/shop", "start_iex")),
        (["migrate"], ("/app/bin/migrate",)),
        (["sh", "-c", "true"], ("sh", "-c", "true")),
        (["/bin/true"], ("/bin/true",)),
    ],
)
def test_a_command_is_a_script_of_the_release_one_of_its_verbs_or_words(
    folder: Path, words: list[str] | None, expected: tuple[str, ...]
) -> None:
    (folder / "bin/migrate").write_text("#!/bin/sh\n")
    assert command(release(folder), words) == expected


def test_a_server_script_is_preferred_to_start(folder: Path) -> None:
    (folder / "bin/server").write_text("#!/bin/sh\n")
    assert command(release(folder), None) == ("/app/bin/server",)


def env_sh(folder: Path) -> bytes:
    members = [m for plan in plan_cattle(release(folder), recipe(folder)) for m in plan.members]
    (found,) = (m for m in members if m.path.endswith("/env.sh"))
    assert isinstance(found, FileMember)
    return found.content.read()


def test_the_prelude_comes_before_the_releases_own_env_sh(folder: Path) -> None:
    own = b"#!/bin/sh\nexport RELEASE_NODE=shop@host\n"
    (folder / "releases/0.1.0/env.sh").write_bytes(own)
    shipped = env_sh(folder)
    assert shipped.startswith(b"#!/bin/sh\n# --- by imagesmith")
    assert own.partition(b"\n")[2] in shipped


def link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def test_without_an_env_sh_to_write_into_no_image_is_made(folder: Path) -> None:
    link(folder / "releases/0.1.0/env.sh")
    with pytest.raises(ReleaseError, match=r"there is no releases/0.1.0/env.sh"):
        plan_cattle(release(folder), recipe(folder))


def test_an_images_size_and_blobs_are_those_of_its_layers() -> None:
    made = make("one", "two")
    assert made.size == sum(layer.descriptor.size for layer in made.layers)
    for blob in made.blobs():
        assert b"".join(blob.chunks())
