"""The check against the loader itself: what it forbids does not start, what it lets pass runs."""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagesmith.base.advice import SYSTEMS, highest, version_of
from imagesmith.base.binaries import Binaries
from imagesmith.base.check import check
from imagesmith.base.elf import MAGIC, Elf, read_elf
from imagesmith.base.imageroot import ImageRoot
from imagesmith.base.layout import layout_base
from imagesmith.base.minimal import plan_minimal
from imagesmith.base.sysroot import FolderRoot, Sysroot
from imagesmith.oci.spec import Platform
from tests.container.conftest import imagesmith
from tests.docker import docker, serving
from tests.shop import Shop, tool

pytestmark = pytest.mark.container

AMD64 = Platform("amd64")
NOT_FOR_THE_BASE = (
    "dev proc sys tmp boot var/cache usr/share/doc usr/lib/erlang usr/lib/gcc".split()
)
VERDICT = """\
for file in "$@"; do
  LD_TRACE_LOADED_OBJECTS=1 LD_WARN=1 LD_BIND_NOW=1 \
    /lib64/ld-linux-x86-64.so.2 "$file" 2>&1 | sed "s|^|$file:: |"
done
"""
RECIPE = "version: 1\nname: {name}\nrelease: {{path: {release}}}\nbase: {base}\n"


@dataclass(frozen=True, slots=True)
class System:
    """A Debian, as an image in Docker and as an OCI layout."""

    image: str
    layout: Path


def load(folder: Path, name: str, tar: str | Path) -> System:
    image = f"imagesmith-test-{name}:1"
    docker("import", str(tar), image)
    docker("save", "--output", str(folder / f"{name}.tar"), image)
    with tarfile.open(folder / f"{name}.tar") as archive:
        archive.extractall(folder / name, filter="data")
    return System(image, folder / name)


@pytest.fixture(scope="session")
def bookworm(tmp_path_factory: pytest.TempPathFactory) -> System:
    """Debian 12's minbase: no OpenSSL."""
    folder = tmp_path_factory.mktemp("bookworm")
    return load(folder, "bookworm", tool("bookworm-rootfs"))


@pytest.fixture(scope="session")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> System:
    """Debian 13 with what Elixir needed there, but without Erlang."""
    folder = tmp_path_factory.mktemp("trixie")
    excluded = [f"--exclude=./{path}" for path in NOT_FOR_THE_BASE]
    command = ["tar", "-C", tool("trixie"), *excluded, "-cf", str(folder / "root.tar"), "."]
    subprocess.run(command, check=True)
    return load(folder, "trixie", folder / "root.tar")


def elves(release: Path) -> dict[str, Elf]:
    found = {}
    for path in sorted(release.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == MAGIC:
                    found[f"/app/{path.relative_to(release)}"] = read_elf(file, path.name)
    return found


def by_loader(system: System, release: Path, files: Mapping[str, Elf]) -> set[str]:
    """The files that ld.so of the base cannot load, in a container of it."""
    mount = f"{release}:/app:ro"
    command = ("/bin/sh", "-c", VERDICT, "sh", *files)
    told = docker("run", "--rm", "--network=none", "-v", mount, system.image, *command)
    assert told
    return set(re.findall(r"^(\S+):: .*not found", told, re.MULTILINE))


@pytest.mark.parametrize("built", ["shop", "shop_otp27"])
@pytest.mark.parametrize("system", ["bookworm", "trixie"])
def test_the_verdict_is_that_of_the_loader_for_every_file(
    request: pytest.FixtureRequest, built: str, system: str
) -> None:
    shop: Shop = request.getfixturevalue(built)
    on: System = request.getfixturevalue(system)
    files = elves(shop.all)
    vm = next(path for path in files if path.endswith("/beam.smp"))
    base = layout_base(on.layout, None, AMD64)
    with ImageRoot(base.layers, system) as root:
        findings = check(root, Binaries(AMD64, vm, files))
    refused = {finding.file for finding in findings}
    assert refused == by_loader(on, shop.all, files)
    assert bool(refused) is (system == "bookworm")
    assert (vm in refused) is (system == "bookworm" and built == "shop_otp27")


def build(folder: Path, release: Path, base: str, *arguments: str) -> tuple[int, str, str]:
    (folder / "recipe.yml").write_text(RECIPE.format(name="checked", release=release, base=base))
    done = imagesmith("build", "recipe.yml", *arguments, cwd=folder)
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.mark.parametrize("form", ["oci:{}", "{{minimal: {{sysroot: oci:{}}}}}"])
def test_a_release_of_debian_13_is_refused_over_debian_12_and_nothing_is_written(
    shop_otp27: Shop, bookworm: System, tmp_path: Path, form: str
) -> None:
    output = ("--output", "type=oci,dest=out.tar")
    base = form.format(bookworm.layout)
    code, stdout, told = build(tmp_path, shop_otp27.all, base, *output)
    assert (code, stdout) == (1, "")
    assert not (tmp_path / "out.tar").exists()
    assert "beam.smp and" in told
    assert "need GLIBC_2.38, but" in told
    assert "ends at GLIBC_2.36" in told
    assert "crypto.so needs libcrypto.so.3 with OPENSSL_3.4.0, which is not there" in told
    assert "Debian 13 or newer" in told


@pytest.mark.parametrize("form", ["oci:{}", "{{minimal: {{sysroot: oci:{}}}}}"])
def test_the_same_release_passes_over_debian_13_and_runs(
    shop_otp27: Shop, trixie: System, tmp_path: Path, form: str
) -> None:
    code, image, told = build(tmp_path, shop_otp27.all, form.format(trixie.layout), "--load")
    assert code == 0, told
    with serving(image) as running:
        assert "trixie" in running.output("cat", "/etc/os-release")
        crypto = ("/app/bin/shop_all", "rpc", "IO.puts(byte_size(:crypto.hash(:sha256, <<>>)))")
        assert running.output(*crypto) == "32"


def test_the_image_gives_the_same_minimal_base_as_its_folder(
    shop_otp27: Shop, trixie: System
) -> None:
    files = elves(shop_otp27.all)
    base = layout_base(trixie.layout, None, AMD64)
    with ImageRoot(base.layers, "trixie") as root:
        of_image = [plan.key for plan in plan_minimal(root, files)]
    of_folder = [plan.key for plan in plan_minimal(FolderRoot(shop_otp27.sysroot), files)]
    assert of_image == of_folder


LIBRARIES = {
    "GLIBC": "libc.so.6",
    "GLIBCXX": "libstdc++.so.6",
    "CXXABI": "libstdc++.so.6",
    "OPENSSL": "libcrypto.so.3",
}


def newest(root: Sysroot, name: str, library: str) -> tuple[int, ...] | None:
    found = root.file(f"/usr/lib/x86_64-linux-gnu/{library}")
    if found is None:
        return None
    with root.open(found[0]) as file:
        symbol = highest(read_elf(file, library).defines, name)
    known = version_of(symbol or "")
    assert known, symbol
    return known[1]


def test_what_is_said_of_debian_is_what_debian_has(bookworm: System, trixie: System) -> None:
    told = dict(SYSTEMS)
    for system, on in (("Debian 12", bookworm), ("Debian 13", trixie)):
        base = layout_base(on.layout, None, AMD64)
        with ImageRoot(base.layers, system) as root:
            found = {name: newest(root, name, library) for name, library in LIBRARIES.items()}
        for name, version in found.items():
            assert version in (None, told[system][name]), name
        assert found["GLIBC"]
