"""imagesmith, as a contestant."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.contestant import Sink, forget_builds
from bench.process import Measured, measure

__all__ = ["Ours", "imagesmith"]


@dataclass(frozen=True, slots=True)
class Ours:
    """`imagesmith build`, with a cache folder of its own, so that no two help each other.

    `base` is the recipe's; `folder` asks for an OCI layout in place of an archive.
    """

    work: Path
    sink: Sink
    base: str | None = None
    folder: bool = False

    @property
    def name(self) -> str:
        """See Contestant."""
        kind = ", to a layout" if self.folder else ""
        return f"imagesmith, {'Debian' if self.base else 'minimal'} base{kind}"

    @property
    def archive(self) -> Path | None:
        """See Contestant."""
        return self._file("tar") if self.sink is Sink.OCI and not self.folder else None

    def forget(self) -> None:
        """See Contestant."""
        shutil.rmtree(self._file("cache"), ignore_errors=True)
        shutil.rmtree(self._file("layout"), ignore_errors=True)
        if self.sink is Sink.LOAD:
            forget_builds(self._image)

    def prepare(self, release: Path) -> None:
        """See Contestant."""
        base = f"base: {self.base}\n" if self.base else ""
        self._file("yml").write_text(f"version: 1\nrelease: {{path: {release}}}\n{base}")

    def build(self) -> Measured:
        """See Contestant."""
        if self.sink is Sink.LOAD:
            to = ["--load", "--tag", self._image]
        elif self.folder:
            to = ["--output", f"type=oci,tar=false,dest={self._file('layout')}"]
        else:
            to = ["--output", f"type=oci,dest={self.archive}"]
        return imagesmith("build", str(self._file("yml")), *to, cache=self._file("cache"))

    @property
    def _image(self) -> str:
        return f"bench-{self._key}:latest"

    @property
    def _key(self) -> str:
        kind = "load" if self.sink is Sink.LOAD else "layout" if self.folder else "oci"
        return f"ours-{kind}-{'debian' if self.base else 'minimal'}"

    def _file(self, suffix: str) -> Path:
        return self.work / f"{self._key}.{suffix}"


def imagesmith(*arguments: str, cache: Path) -> Measured:
    """Run the command with this cache folder."""
    return measure(
        [sys.executable, "-m", "imagesmith", *arguments], {"IMAGESMITH_CACHE_DIR": str(cache)}
    )
