"""`imagesmith build`: what it prints, where it puts the image, what it leaves."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from imagesmith.oci.layout import REF_NAME, Layout
from imagesmith.oci.spec import Descriptor
from tests.cli.conftest import Smith
from tests.trees import make_release


def _digest(line: str) -> str:
    return line.rpartition("@")[2]


def test_without_docker_it_writes_a_layout_and_prints_its_path(
    smith: Smith, release: Path, here: Path
) -> None:
    done = smith("build", release)
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("shop.oci@sha256:")
    assert [item.digest for item in Layout(here / "shop.oci").manifests] == [
        _digest(done.stdout.strip())
    ]
    assert [path.name for path in here.iterdir()] == ["shop.oci"]


def test_a_second_build_gives_the_same_digest_and_the_same_layout(
    smith: Smith, release: Path, here: Path
) -> None:
    first = smith("build", release)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert smith("build", release, "--cache-dir", "../empty").stdout == first.stdout
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_the_recipe_here_is_found(smith: Smith, release: Path, here: Path) -> None:
    (here / "imagesmith.yml").write_text(
        f"version: 1\nname: shopfront\nrelease: {{path: {release}}}\n"
    )
    assert smith("build").stdout.startswith("shopfront.oci@")


def test_the_one_release_of_a_project_is_found(smith: Smith, here: Path) -> None:
    make_release(here / "_build/prod/rel/shop")
    assert smith("build").stdout.startswith("shop.oci@")


def test_tags_name_the_image(smith: Smith, release: Path, here: Path) -> None:
    smith("build", release, "-t", "registry.example/shop:1", "-t", "team/{release}:{version}")
    names = [item.annotations["io.containerd.image.name"] for item in _manifests(here)]
    assert names == ["registry.example/shop:1", "docker.io/team/shop:0.1.0"]


def _manifests(here: Path) -> list[Descriptor]:
    return Layout(here / "shop.oci").manifests


def test_an_archive_is_what_its_type_says(smith: Smith, release: Path, here: Path) -> None:
    smith("build", release, "-o", "type=oci,dest=a/oci.tar", "-o", "type=docker,dest=docker.tar")
    with tarfile.open(here / "a/oci.tar") as oci, tarfile.open(here / "docker.tar") as docker:
        assert "manifest.json" not in oci.getnames()
        assert "manifest.json" in docker.getnames()
        assert {"oci-layout", "index.json"} <= {*oci.getnames()} & {*docker.getnames()}


def test_metadata_and_image_id_are_written_as_buildx_does(
    smith: Smith, release: Path, here: Path
) -> None:
    done = smith("build", release, "--metadata-file", "m.json", "--iidfile", "iid", "-t", "a:b")
    metadata = json.loads((here / "m.json").read_text())
    assert metadata["containerimage.digest"] == _digest(done.stdout.strip())
    assert metadata["containerimage.config.digest"] == (here / "iid").read_text()
    assert metadata["image.name"] == "a:b"


@pytest.fixture
def umbrella(here: Path, tmp_path: Path) -> Path:
    for name in ("web", "worker"):
        make_release(tmp_path / name, name=f"shop_{name}")
    recipe = here / "shop.yml"
    recipe.write_text(
        "version: 1\n"
        f"releases: {{web: {{path: {tmp_path}/web}}, worker: {{path: {tmp_path}/worker}}}}\n"
    )
    return recipe


def test_many_releases_print_a_line_each(smith: Smith, umbrella: Path) -> None:
    lines = smith("build", umbrella).stdout.splitlines()
    assert [line.partition("@")[0] for line in lines] == ["web.oci", "worker.oci"]


def test_one_of_many_can_be_picked(smith: Smith, umbrella: Path) -> None:
    done = smith("build", umbrella, "--release", "worker")
    assert [line.partition("@")[0] for line in done.stdout.splitlines()] == ["worker.oci"]


def test_many_releases_can_share_a_layout(smith: Smith, umbrella: Path, here: Path) -> None:
    output = "type=oci,tar=false,dest=all.oci"
    done = smith("build", umbrella, "-o", output, "-t", "r.example/{release}:{version}")
    assert done.code == 0, done.stderr
    assert len(Layout(here / "all.oci").manifests) == 2


def test_images_of_one_version_in_one_layout_can_be_told_apart_by_tag(
    smith: Smith, umbrella: Path, here: Path
) -> None:
    smith("build", umbrella, "-o", "type=oci,tar=false,dest=all.oci")
    assert _refs(here / "all.oci") == ["web:0.1.0", "worker:0.1.0"]


def test_an_image_that_joins_another_of_its_tag_can_be_told_apart(
    smith: Smith, release: Path, tmp_path: Path, here: Path
) -> None:
    output = ("-o", "type=oci,tar=false,dest=all.oci")
    other = make_release(tmp_path / "other", name="other")
    smith("build", release, "-t", "r.example/shop:1", *output)
    smith("build", other, "-t", "r.example/other:1", *output)
    smith("build", other, "-t", "r.example/other:1", *output)
    assert _refs(here / "all.oci") == ["1", "r.example/other:1"]


def _refs(layout: Path) -> list[str]:
    return [item.annotations[REF_NAME] for item in Layout(layout).manifests]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-t", "shop:1"], "2 images cannot have one name"),
        (["--iidfile", "i"], "the file holds one ID"),
        (["--release", "nope"], "no such release"),
    ],
)
def test_what_many_releases_cannot_have_is_refused(
    smith: Smith, umbrella: Path, arguments: list[str], said: str
) -> None:
    done = smith("build", umbrella, *arguments)
    assert (done.code, said in done.stderr) == (2, True), done.stderr


def test_source_date_epoch_touches_no_layer(
    smith: Smith, release: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def layers() -> tuple[str, list[str]]:
        done = smith("build", release, "--progress", "json")
        told = [json.loads(line) for line in done.stderr.splitlines()]
        return done.stdout, [item["digest"] for item in told if "layer" in item]

    digest, before = layers()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    later, after = layers()
    assert before == after
    assert digest != later


def test_progress_tells_as_much_as_was_asked(smith: Smith, release: Path) -> None:
    assert smith("build", release, "--progress", "quiet").stderr == ""
    assert "own " in smith("build", release, "--progress", "plain").stderr
    assert "digest" in smith("build", release, "--progress", "tty").stderr
    lines = smith("build", release, "--progress", "json").stderr.splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_stdout_holds_nothing_but_the_result(smith: Smith, release: Path) -> None:
    for mode in ("plain", "tty", "json"):
        assert len(smith("build", release, "--progress", mode).stdout.splitlines()) == 1


def test_inspect_shows_each_application_and_whose_it_is(smith: Smith, release: Path) -> None:
    text = smith("inspect", release).stdout
    assert "shop 0.1.0, made by mix, ERTS 13.1.5" in text
    document = json.loads(smith("inspect", release, "--json").stdout)
    assert {app["name"]: app["origin"] for app in document["applications"]} == {
        "kernel": "otp",
        "stdlib": "otp",
        "elixir": "elixir",
        "jason": "third-party",
        "shop": "own",
    }


def test_schema_is_json(smith: Smith) -> None:
    assert json.loads(smith("schema").stdout)["title"]


def test_version_and_help_answer(smith: Smith) -> None:
    assert smith("--version").stdout.startswith("imagesmith ")
    assert "build" in smith("--help").stdout
    assert "--mode" in smith("build", "--help").stdout
