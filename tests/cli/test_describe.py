"""`imagesmith build --label`, `--annotation` and `--platform`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.oci.layout import Layout
from imagesmith.oci.spec import Json
from tests.cli.conftest import Smith


def documents(here: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The labels and the annotations of the image in shop.oci."""
    layout = Layout(here / "shop.oci")
    manifest: dict[str, dict[str, str]] = json.loads(layout.document(layout.manifests[0]))
    config = layout.path(manifest["config"]["digest"]).read_text()
    said: dict[str, Json] = json.loads(config)["config"]
    labels = said["Labels"]
    assert isinstance(labels, Mapping)
    return {key: str(value) for key, value in labels.items()}, manifest["annotations"]


@pytest.mark.parametrize("mode", ["cattle", "pet"])
def test_labels_and_annotations_are_the_image_s(
    mode: str, smith: Smith, release: Path, here: Path
) -> None:
    done = smith(
        *("build", release, "--mode", mode),
        *("--label", "org.opencontainers.image.revision=abc", "--label", "team=a=b, c"),
        *("--annotation", "org.opencontainers.image.source=https://shop.example/code"),
        *("--annotation", "manifest:org.opencontainers.image.title=The shop"),
    )
    assert done.code == 0, done.stderr
    labels, annotations = documents(here)
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["team"] == "a=b, c"
    assert labels["io.imagesmith.mode"] == mode
    assert annotations["org.opencontainers.image.source"] == "https://shop.example/code"
    assert annotations["org.opencontainers.image.title"] == "The shop"


def test_the_command_line_s_label_is_the_one_that_counts(
    smith: Smith, release: Path, here: Path
) -> None:
    (here / "imagesmith.yml").write_text(
        f"version: 1\nrelease: {{path: {release}}}\nlabels: {{team: recipe, floor: '2'}}\n"
    )
    assert smith("build", "--label", "team=line").code == 0
    labels, _ = documents(here)
    assert (labels["team"], labels["floor"]) == ("line", "2")


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/amd64/v1", "linux/amd64,linux/amd64"])
def test_the_platform_that_it_is_for_is_fine(platform: str, smith: Smith, release: Path) -> None:
    done = smith("build", release, "--platform", platform)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--platform", "linux/arm64/v8"), "--platform linux/arm64: shop is for linux/amd64"),
        (("--platform", "linux/amd64/v3"), "--platform linux/amd64/v3: shop is for linux/amd64"),
        (("--platform", "linux/amd64,linux/arm64"), "an image has one platform"),
        (("--label", "team"), "--label team: this is no KEY=VALUE"),
        (("--label", "=x"), "--label =x: this is no KEY=VALUE"),
        (("--annotation", "x"), "--annotation x: this is no KEY=VALUE"),
        (("--annotation", "index:a=b"), "has a manifest, and no index"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: tuple[str, ...], said: str, smith: Smith, release: Path, here: Path
) -> None:
    done = smith("build", release, *arguments)
    assert done.code == 2
    assert said in done.stderr
    assert not list(here.iterdir())
