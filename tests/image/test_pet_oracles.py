"""What others say of a pet image of the real shop, built beside the cattle image from one cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracles import run
from tests.shop import Shop

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def built(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with an OCI layout and an archive for `docker load` of each life."""
    folder = tmp_path_factory.mktemp("pets")
    (folder / "shop.yml").write_text(f"version: 1\nname: shop\nrelease: {{path: {shop.web}}}\n")
    for mode in ("cattle", "pet"):
        for kind in (f"type=oci,tar=false,dest={mode}.oci", f"type=docker,dest={mode}.tar"):
            words = ("build", "shop.yml", "--mode", mode, "--output", kind, "--cache-dir", "cache")
            done = subprocess.run(
                [sys.executable, "-m", "imagesmith", *words],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    return folder


def test_skopeo_sees_the_cattle_images_layers_and_one_more(built: Path, tmp_path: Path) -> None:
    cattle, pet = (
        json.loads(run("skopeo", "inspect", f"oci:{built}/{mode}.oci"))["Layers"]
        for mode in ("cattle", "pet")
    )
    assert pet[:-1] == cattle
    run("skopeo", "copy", "--insecure-policy", f"oci:{built}/pet.oci", f"dir:{tmp_path}/copy")


def test_crane_finds_the_layers_digests_and_diff_ids_right(built: Path) -> None:
    run("crane", "validate", "--tarball", built / "pet.tar")


@pytest.fixture(scope="module")
def unpacked(built: Path) -> Path:
    """The root file system, as umoci unpacks it."""
    index = json.loads((built / "pet.oci/index.json").read_text())
    tag = index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    run("umoci", "unpack", "--image", f"{built}/pet.oci:{tag}", built / "bundle")
    return built / "bundle/rootfs"


def test_umoci_gives_the_folder_for_the_volume_to_the_user(unpacked: Path) -> None:
    volume = (unpacked / "upgrades").stat()
    assert (volume.st_uid, volume.st_gid) == (65532, 65532)
    assert (unpacked / "app").stat().st_uid == 0


def test_erlang_reads_releases(unpacked: Path) -> None:
    say = (
        f'{{ok, [[{{release, N, V, _, L, permanent}}]]}} = file:consult("{unpacked}/app/releases/'
        'RELEASES"), io:format("~s ~s ~p", [N, V, [lists:keyfind(core, 1, L), length(L) > 8]]), '
        "halt()."
    )
    words = ("erl", "-noshell", "-eval", say)
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == 'shop_web 0.1.0 [{core,"0.1.0","./lib/core-0.1.0"},true]'
