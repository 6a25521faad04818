"""Builds by the command line with a cache of their own, and what is true of a right one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "SMITH",
    "Built",
    "Variant",
    "build",
    "build_command",
    "cache",
    "copy_release",
    "files_of",
    "run",
    "temporaries",
    "tree",
]

SMITH = (sys.executable, "-m", "imagesmith")


@dataclass(frozen=True, slots=True)
class Built:
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def digest(self) -> str:
        """The image's digest; fails with what the command said if there is none."""
        assert self.code == 0, f"exit code {self.code}\n{self.stderr}"
        return self.stdout.strip().rpartition("@")[2]

    @property
    def written(self) -> list[str]:
        """The layers that a build did not find."""
        told = [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]
        return [item["layer"] for item in told if "layer" in item and not item["found"]]


@dataclass(frozen=True, slots=True)
class Variant:
    """A release, and the digest of its image as a build without any attack gives it."""

    name: str
    release: Path
    digest: str

    def check(self, built: Built, out: Path) -> None:
        """The image is the right one, and whole: each blob is what its name says."""
        assert built.digest == self.digest, f"{self.name}: another image\n{built.stderr}"
        for blob in (out / "blobs/sha256").iterdir():
            with blob.open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == blob.name, self.name
        held = (out / "blobs/sha256" / self.digest.removeprefix("sha256:")).read_text()
        for digest in [part.split('"')[0] for part in held.split('"sha256:')[1:]]:
            assert (out / "blobs/sha256" / digest).is_file(), f"{self.name}: {digest} is missing"


def build_command(release: Path, out: Path, *options: object) -> list[str]:
    """A build of a layout by the engine that needs nobody."""
    return [
        *SMITH,
        "build",
        str(release),
        "--engine=embedded",
        f"--output=type=oci,tar=false,dest={out}",
        "--progress=json",
        *map(str, options),
    ]


def build(
    release: Path,
    out: Path,
    folder: Path,
    *options: object,
    prefix: Sequence[object] = (),
    env: Mapping[str, str] | None = None,
) -> Built:
    """Build a layout into `out` with the cache in `folder`; `prefix` runs the command."""
    command = build_command(release, out, f"--cache-dir={folder}", *options)
    return run([*map(str, prefix), *command], env=env)


def cache(folder: Path, *arguments: object, prefix: Sequence[object] = ()) -> Built:
    """Run `imagesmith cache ARGUMENT…` on the cache in `folder`."""
    verb, *rest = map(str, arguments)
    command = [*SMITH, "cache", verb, *rest, "--cache-dir", str(folder)]
    return run([*map(str, prefix), *command])


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> Built:
    """Run a command to its end."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=dict(os.environ if env is None else env),
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Built(done.returncode, done.stdout, done.stderr)


def copy_release(release: Path, to: Path, change: Callable[[Path], None]) -> Path:
    """A release that differs from another by the files that `change` adds to its folder."""
    shutil.copytree(release, to, symlinks=True, copy_function=_link_or_copy)
    change(to)
    return to


def _link_or_copy(file: str, to: str) -> None:
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)


def files_of(folder: Path) -> list[Path]:
    """Every regular file of a cache, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def temporaries(folder: Path) -> list[Path]:
    """What commands that are no more have left unfinished in a cache."""
    return [path for path in files_of(folder) if "tmp" in path.relative_to(folder).parts]


def tree(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in files_of(folder)}
