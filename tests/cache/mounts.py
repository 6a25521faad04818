"""File systems of a test's own, in a mount namespace that ends with it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mounts", "mounts"]


@dataclass(frozen=True, slots=True)
class Mounts:
    """A mount namespace; its mounts are seen by what `prefix` runs, and by nobody else."""

    process: int

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs the command after it in the namespace."""
        return ("nsenter", f"--mount=/proc/{self.process}/ns/mnt", "--")

    def inside(self, path: Path) -> Path:
        """The path by which this process sees what lies at `path` in there."""
        return Path(f"/proc/{self.process}/root{path}")

    def tmpfs(self, path: Path, options: str) -> None:
        """An empty file system in memory, such as `size=1m`."""
        path.mkdir(parents=True, exist_ok=True)
        self._run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))

    def remount(self, path: Path, options: str) -> None:
        """Change a mounted file system."""
        self._run("mount", "-o", f"remount,{options}", str(path))

    def read_only(self, path: Path) -> None:
        """The folder as it is, where not even root can write."""
        self._run("mount", "--bind", str(path), str(path))
        self.remount(path, "bind,ro")

    def _run(self, *command: str) -> None:
        subprocess.run([*self.prefix, *command], check=True)


@contextmanager
def mounts() -> Iterator[Mounts]:
    """A new namespace, private to the test. Needs root."""
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", "echo; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin
    assert holder.stdout
    holder.stdout.readline()  # now it is in its namespace
    try:
        yield Mounts(holder.pid)
    finally:
        holder.stdin.close()
        holder.wait()
