"""`imagesmith cache why`: what can be compared, what it prints, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.beam.beams import module
from tests.cli.conftest import Smith
from tests.oci.images import make
from tests.trees import APPLICATIONS, App, make_release

SAME = "The same layers: B has nothing that A lacks (7 layers compared)."


@pytest.fixture
def changed(release: Path, tmp_path: Path) -> Path:
    """The small release with another `Line` in one of its modules."""
    folder = tmp_path / "changed"
    shutil.copytree(release, folder)
    beam = folder / "lib/shop-0.1.0/ebin/Elixir.Shop.Cart.beam"
    beam.write_bytes(module({b"Line": bytes(20)}, name="Elixir.Shop.Cart"))
    return folder


def images(folder: Path) -> Path:
    """A layout with one small image, and it as an archive beside it."""
    from imagesmith.oci.layout import write_layout

    image = make("one", "two")
    write_layout(folder, list(image.blobs()), [image.descriptor])
    subprocess.run(["tar", "-cf", f"{folder}.tar", "-C", folder, "."], check=True)
    return folder


def why(smith: Smith, *arguments: str | Path) -> Any:
    done = smith("cache", "why", *arguments, "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_release_and_itself_have_the_same_layers(smith: Smith, release: Path) -> None:
    done = smith("cache", "why", release, release)
    assert done.code == 0, done.stderr
    assert SAME in done.stdout
    assert "Bases are not compared" in done.stdout


def test_a_folder_its_archive_and_a_recipe_are_the_same(
    smith: Smith, release: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "release.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", release, "."], check=True)
    (tmp_path / "imagesmith.yml").write_text(f"version: 1\nrelease: {{path: {release}}}\n")
    for other in (archive, tmp_path / "imagesmith.yml"):
        assert SAME in smith("cache", "why", release, other).stdout


def test_a_difference_names_layer_module_chunk_cause_and_way_out(
    smith: Smith, release: Path, changed: Path
) -> None:
    done = smith("cache", "why", release, changed)
    assert done.code == 0, done.stderr
    assert "1 of 7 layers differ; on top of A, a push of B sends " in done.stdout
    assert "own: shop" in done.stdout
    assert "  Shop.Cart [Line]  moved-lines" in done.stdout
    assert "    → Nothing is wrong: the traces have to be right." in done.stdout


def test_json_has_the_documented_shape(smith: Smith, release: Path, changed: Path) -> None:
    found = why(smith, release, changed)
    assert found["a"] == {"name": f"{release} (shop 0.1.0)", "kind": "release"}
    assert (found["same_layers"], found["base_compared"], found["settings"]) == (6, False, [])
    [layer] = found["layers"]
    assert (layer["group"], layer["name"], layer["state"]) == ("own", "shop", "changed")
    assert layer["bytes"] == found["bytes"] > 0
    assert layer["a"].keys() == layer["b"].keys() == {"diff_id", "digest", "key"}
    [told] = layer["files"]
    assert told == {
        "path": "app/lib/shop/ebin/Elixir.Shop.Cart.beam",
        "application": "shop",
        "module": "Shop.Cart",
        "change": "changed",
        "layer_in_a": {"group": "own", "name": "shop"},
        "chunks": [{"name": "Line", "in_a": True, "in_b": True, "removed": [], "added": []}],
        "reasons": [
            {"cause": "moved-lines", "fact": "Line differs and the code does not"},
        ],
    }
    assert found["causes"]["moved-lines"].keys() == {"what", "way_out"}


def test_many_files_are_cut_short_unless_all_are_asked_for(
    smith: Smith, release: Path, changed: Path
) -> None:
    for number in range(20):
        (changed / f"lib/shop-0.1.0/priv/new{number:02}").touch()
    short = smith("cache", "why", release, changed).stdout
    assert "… and 9 more (--all shows them)" in short
    assert "priv/new19" not in short
    assert "+ priv/new19" in smith("cache", "why", release, changed, "--all").stdout


def test_a_layout_by_its_folder_by_oci_and_as_an_archive_is_one_image(
    smith: Smith, tmp_path: Path
) -> None:
    layout = images(tmp_path / "shop.oci")
    digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    for other in (layout, f"oci:{layout}", f"oci:{layout}@{digest}", Path(f"{layout}.tar")):
        done = smith("cache", "why", layout, other)
        assert done.code == 0, done.stderr
        assert "The same layers" in done.stdout
        assert "Bases are not compared" not in done.stdout


def test_two_images_in_a_layout_are_told_apart_by_digest_or_platform(
    smith: Smith, tmp_path: Path
) -> None:
    from imagesmith.oci.layout import write_layout

    layout = tmp_path / "two.oci"
    both = [make("a"), make("b", architecture="arm64")]
    write_layout(
        layout, [blob for image in both for blob in image.blobs()], [i.descriptor for i in both]
    )
    done = smith("cache", "why", layout, layout)
    assert done.code == 2
    assert "2 images could be meant" in done.stderr
    arm = why(smith, f"oci:{layout}@{both[0].digest}", f"oci:{layout}@{both[1].digest}")
    assert "architecture" in arm["settings"]
    done = smith("cache", "why", layout, layout, "--platform", "linux/arm64")
    assert "The same layers" in done.stdout


@pytest.mark.parametrize("name", ["nothing", "no/such/folder", "./no:path"])
def test_what_is_not_there_is_a_wrong_request(smith: Smith, release: Path, name: str) -> None:
    done = smith("cache", "why", release, name)
    assert done.code == 2
    assert f"{name}: there is no such folder, archive or recipe" in done.stderr


def test_a_tar_that_is_no_image_is_one_error(smith: Smith, release: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.tar").write_bytes(b"no tar")
    done = smith("cache", "why", release, tmp_path / "broken.tar")
    assert done.code == 1
    assert "this is no tar, or it is broken" in done.stderr
    subprocess.run(["tar", "-cf", tmp_path / "other.tar", "-C", release, "bin"], check=True)
    done = smith("cache", "why", release, tmp_path / "other.tar")
    assert done.code == 1
    assert "this is no OCI archive: it has no index.json" in done.stderr


def test_a_damaged_layer_is_named(smith: Smith, tmp_path: Path) -> None:
    one, two = images(tmp_path / "one.oci"), tmp_path / "two.oci"
    from imagesmith.oci.layout import write_layout

    image = make("one", "three")
    write_layout(two, list(image.blobs()), [image.descriptor])
    digest = image.layers[1].descriptor.digest
    blob = two / "blobs" / digest.replace(":", "/")
    blob.write_bytes(blob.read_bytes()[:-9])
    done = smith("cache", "why", one, two)
    assert done.code == 1
    assert f"{two}: layer {digest}: it is damaged" in done.stderr


def test_a_recipe_with_many_releases_needs_a_name(
    smith: Smith, release: Path, tmp_path: Path
) -> None:
    make_release(tmp_path / "other", name="other")
    recipe = tmp_path / "imagesmith.yml"
    recipe.write_text(
        f"version: 1\nreleases: {{web: {{path: {release}}}, worker: {{path: {tmp_path}/other}}}}\n"
    )
    done = smith("cache", "why", recipe, release)
    assert done.code == 2
    assert "this recipe has several releases: web, worker" in done.stderr
    assert SAME in smith("cache", "why", recipe, release, "--release", "web").stdout
    assert smith("cache", "why", recipe, release, "--release", "none").code == 2


def test_a_platform_is_an_os_and_an_architecture(smith: Smith, release: Path) -> None:
    done = smith("cache", "why", release, release, "--platform", "arm64")
    assert (done.code, "should be OS/ARCH" in done.stderr) == (2, True)


def moved(found: Any) -> set[str]:
    """The causes of files that lie in another layer."""
    return {
        reason["cause"]
        for layer in found["layers"]
        for told in layer["files"]
        if told["change"] == "moved"
        for reason in told["reasons"]
    }


def test_an_application_that_outgrew_its_buckets(smith: Smith, tmp_path: Path) -> None:
    for folder, count in (("before", 120), ("after", 130)):
        modules = tuple(f"Elixir.Shop.M{number}" for number in range(count))
        shop = App("shop", "0.1.0", modules, ("kernel", "stdlib"))
        make_release(tmp_path / folder, applications=[*APPLICATIONS[:2], shop])
    found = why(smith, tmp_path / "before", tmp_path / "after")
    assert moved(found) == {"cut-buckets"}


@pytest.mark.parametrize(
    ("layers", "cause"), [("own: [shop, jason]", "cut-owner"), ("max: 8", "cut-budget")]
)
def test_a_recipe_that_cuts_otherwise(
    smith: Smith, tmp_path: Path, layers: str, cause: str
) -> None:
    more = [App(f"dep{number}", requires=("kernel",)) for number in range(8)]
    shop = App("shop", "0.1.0", ("Elixir.Shop",), ("jason", *(app.name for app in more)))
    folder = make_release(tmp_path / "rel", applications=[*APPLICATIONS[:4], *more, shop])
    recipe = tmp_path / "imagesmith.yml"
    recipe.write_text(f"version: 1\nrelease: {{path: {folder}}}\nlayers: {{{layers}}}\n")
    assert moved(why(smith, folder, recipe)) == {cause}


def test_a_recipe_that_takes_modules_as_they_are(
    smith: Smith, release: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "imagesmith.yml"
    recipe.write_text(f"version: 1\nrelease: {{path: {release}}}\nlayers: {{canonical: false}}\n")
    found = why(smith, release, recipe)
    assert {"own", "otp", "elixir", "third-party", "protocols"} == {
        layer["group"] for layer in found["layers"]
    }
    assert set(found["causes"]) == {"not-canonical"}
