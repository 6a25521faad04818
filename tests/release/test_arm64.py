"""A release for arm64, built and put into an image on a machine of another architecture."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracles import run
from tests.registry import registry
from tests.shop import Shop, layers

pytestmark = pytest.mark.release

OF_THE_MACHINE = {"system", "libraries", "native"}
NIF = "lib/core-0.1.0/priv/core_nif.so"


@pytest.fixture(scope="module")
def image(shop_arm64: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of shop_all for arm64, as a layout; its layers' digests lie beside it.

    It has both kinds of NIF: OTP's crypto, and one of its own.
    """
    folder = tmp_path_factory.mktemp("arm64")
    found = layers(shop_arm64.all, folder, f"base: {shop_arm64.base}\n")
    (folder / "layers.json").write_text(json.dumps(found))
    return folder / "out.oci"


def refusal(release: Path, sysroot: Path, folder: Path) -> str:
    """What a build says that has to fail."""
    recipe = (
        f"version: 1\nrelease: {{path: {release}}}\nbase: {{minimal: {{sysroot: {sysroot}}}}}\n"
    )
    (folder / "recipe.yml").write_text(recipe)
    done = subprocess.run(
        [sys.executable, "-m", "imagesmith", "build", "recipe.yml", "-o", "type=oci,dest=no.tar"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 1
    assert not (folder / "no.tar").exists()
    return done.stderr


def test_every_layer_but_the_native_one_and_the_base_is_that_of_amd64(
    shop: Shop, image: Path, tmp_path: Path
) -> None:
    here = layers(shop.all, tmp_path)
    there = json.loads(image.with_name("layers.json").read_text())
    assert list(here) == list(there)
    assert {name for name in here if here[name] != there[name]} == OF_THE_MACHINE
    assert {"kernel", "stdlib", "elixir", "core", "protocols", "release"} <= set(here)


@pytest.mark.oracle
def test_others_take_the_image_for_one_of_arm64(image: Path, tmp_path: Path) -> None:
    (descriptor,) = json.loads((image / "index.json").read_text())["manifests"]
    assert descriptor["platform"] == {"architecture": "arm64", "os": "linux"}
    told = json.loads(run("skopeo", "inspect", f"oci:{image}:0.1.0"))
    assert (told["Os"], told["Architecture"]) == ("linux", "arm64")
    with registry(tmp_path) as host:
        name = f"{host}/shop:arm64"
        options = ("--insecure-policy", "--dest-tls-verify=false")
        run("skopeo", "copy", *options, f"oci:{image}:0.1.0", f"docker://{name}")
        run("crane", "validate", "--insecure", "--remote", name)
        config = json.loads(run("crane", "config", "--insecure", name))
    assert (config["os"], config["architecture"]) == ("linux", "arm64")


@pytest.mark.oracle
def test_all_that_runs_in_the_image_is_for_arm64_and_so_is_what_it_loads(
    image: Path, tmp_path: Path
) -> None:
    run("umoci", "unpack", "--rootless", "--image", f"{image}:0.1.0", tmp_path / "made")
    root = tmp_path / "made/rootfs"
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    elves = [path for path in files if path.read_bytes()[:4] == b"\x7fELF"]
    assert {"beam.smp", "busybox", "core_nif.so", "crypto.so"} <= {path.name for path in elves}
    headers = subprocess.run(
        ["readelf", "--wide", "--file-header", "--dynamic", *map(str, elves)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    machines = [line.split()[-1] for line in headers if "Machine:" in line]
    assert machines == ["AArch64"] * len(elves)
    needed = {line.split("[")[1].rstrip("]") for line in headers if "(NEEDED)" in line}
    assert {"libc.so.6", "libcrypto.so.3", "libstdc++.so.6"} <= needed
    assert needed <= {path.name for path in root.rglob("*.so*")}
    assert "Architecture: arm64" in (root / "var/lib/dpkg/status.d/libc6").read_text()
    assert "BEGIN CERTIFICATE" in (root / "etc/ssl/certs/ca-certificates.crt").read_text()


def test_this_machine_is_no_sysroot_for_it(shop_arm64: Shop, tmp_path: Path) -> None:
    told = refusal(shop_arm64.web, Path("/"), tmp_path)
    assert "/bin/beam.smp and" in told
    assert "more need arm64 to run, but this system is for amd64" in told
    assert "Give the release a sysroot for arm64" in told
    assert "libc.so.6" not in told


def test_a_nif_of_this_machine_in_it_is_named(shop: Shop, shop_arm64: Shop, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(shop_arm64.web, tmp_path / "release", symlinks=True))
    shutil.copy(shop.web / NIF, spoilt / NIF)
    told = refusal(spoilt, shop_arm64.sysroot, tmp_path)
    assert "/app/lib/core/priv/core_nif.so needs linux/amd64 to run" in told
    assert "but the VM is for linux/arm64" in told
