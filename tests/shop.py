"""Real releases of fixtures/shop, each built once a test run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
SHOP = REPO / "fixtures/shop"
BUILT = "built"
LATER = ("0.2.0", "0.3.0")
"""The versions after the first."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop's releases of one toolchain; `sysroot` is the system that they were built on."""

    otp: str
    releases: Path
    sysroot: Path

    @property
    def web(self) -> Path:
        return self.releases / "shop_web"

    @property
    def worker(self) -> Path:
        return self.releases / "shop_worker"

    @property
    def all(self) -> Path:
        return self.releases / "shop_all"

    @property
    def base(self) -> str:
        """The recipe's `base:` for it."""
        return f"{{minimal: {{sysroot: {self.sysroot}}}}}"

    @classmethod
    def on_host(cls, folder: Path) -> Shop:
        releases = SHOP / "_build/prod/rel"
        if not (folder / "shop-host").exists():
            run_build()
            (folder / "shop-host").touch()
        return cls("25", releases, Path("/"))

    @classmethod
    def for_arm64(cls, folder: Path) -> Shop:
        """Built on this machine with arm64's Erlang and a cross compiler; nothing emulates one."""
        root = Path(tool("arm64"))
        work = folder / "shop-arm64"
        if not (work / BUILT).exists():
            (erts,) = (root / "usr/lib/erlang").glob("erts-*")
            run_build("--work", str(work), SHOP_ERTS=str(erts), CC="aarch64-linux-gnu-gcc")
            (work / BUILT).touch()
        return cls("25", work / "_build/prod/rel", root)

    @classmethod
    def on_trixie(cls, folder: Path) -> Shop:
        root = Path(tool("trixie"))
        work = folder / "shop-trixie"
        if not (work / BUILT).exists():
            build_in_root(root, work)
            (work / BUILT).touch()
        return cls("27", work / "_build/prod/rel", root)

    def versions(self, folder: Path) -> dict[str, Path]:
        """`shop_all` by its version; the later ones are built once in this folder, by the Elixir
        that built this one."""
        return {"0.1.0": self.all, **{version: self._later(folder, version) for version in LATER}}

    def _later(self, folder: Path, version: str) -> Path:
        work = folder / f"shop-{self.otp}-{version}"
        wanted = ("--version", version, "--release", "shop_all", "--release", "shop_worker")
        here = self.sysroot == Path("/")
        # In another root the script builds below the sources that it lies in.
        built = work if here else work / f"_build/src-{version}"
        if not (work / BUILT).exists():
            if here:
                run_build(*wanted, "--work", str(work))
            else:
                build_in_root(self.sysroot, work, *wanted)
            (work / BUILT).touch()
        return built / "_build/prod/rel/shop_all"


def tool(verb: str) -> str:
    """What `.ci/tools VERB` prints, once it has made it available."""
    done = subprocess.run([REPO / ".ci/tools", verb], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def run_build(*arguments: str, **env: str) -> list[Path]:
    """Run the fixture's build script; returns the releases that it names."""
    done = subprocess.run(
        [SHOP / "build", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    return [Path(line) for line in done.stdout.splitlines()]


def layers(release: Path, folder: Path, recipe: str = "", **environment: str) -> dict[str, str]:
    """The digest of each layer of the release, by name, as `imagesmith build` tells them.

    Each build has an empty cache, or the second would only tell what the first has written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yml").write_text(f"version: 1\nrelease: {{path: {release}}}\n{recipe}")
    options = ("--progress", "json", "--output", "type=oci,tar=false,dest=out.oci")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "imagesmith",
            "build",
            "recipe.yml",
            "--cache-dir",
            "cache",
            *options,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    return {item["layer"]: item["digest"] for item in told if "layer" in item}


def copy_source(to: Path) -> None:
    """The shop's sources without what was built of them."""
    shutil.copytree(
        SHOP, to, symlinks=True, ignore=shutil.ignore_patterns("_build", "*.so"), dirs_exist_ok=True
    )


def build_in_root(root: Path, work: Path, *arguments: str, **environment: str) -> None:
    """Build the shop with the Elixir of another system, in a folder of this one.

    `arguments` go to the fixture's build script. Sources that are there already are taken.
    """
    if not (work / "mix.exs").exists():
        copy_source(work)
    place = root / "tmp" / work.parent.name / work.name
    place.mkdir(parents=True, exist_ok=True)
    build = shlex.join([f"/{place.relative_to(root)}/build", *arguments])
    script = f"mount --bind '{work}' '{place}' && chroot '{root}' {build}"
    # A mount namespace of its own: whatever happens, no mount is left in the root.
    subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    shutil.rmtree(place.parent)
