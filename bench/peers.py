"""The two Dockerfiles that imagesmith is measured against, built by buildx."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.contestant import Sink, forget_builds
from bench.process import Failed, Measured, measure, run

__all__ = ["BASE", "BY_HAND", "PHOENIX", "ByHand", "Phoenix", "import_base"]

BASE = "imagesmith-bench-phoenix:12"

PHOENIX, BY_HAND = "A: one COPY", "B: COPY --link"

HEAD = f"""\
FROM {BASE}
ENV LANG=C.UTF-8 MIX_ENV=prod
WORKDIR /app
"""
TAIL = """\
USER nobody
CMD ["/app/bin/server"]
"""


def import_base(rootfs: Path) -> None:
    """Bring Debian into the store, once: its packages are no part of what is measured."""
    if not run("docker", "image", "ls", "--quiet", BASE):
        run("docker", "import", rootfs, BASE)


@dataclass(frozen=True, slots=True)
class Phoenix:
    """A: what `mix phx.gen.release --docker` writes, its last stage: one COPY of the release."""

    work: Path
    sink: Sink
    name: str = PHOENIX

    @property
    def archive(self) -> Path | None:
        """See Contestant."""
        return self.work / "a.tar" if self.sink is Sink.OCI else None

    def forget(self) -> None:
        """See Contestant."""
        forget_builds("bench-a")

    def prepare(self, release: Path) -> None:
        """Write the Dockerfile. The release's own folder is the context: nothing else is read."""
        copy = "COPY --chown=nobody:root . ./\n"
        (self.work / "a.Dockerfile").write_text(HEAD + copy + TAIL)
        _link(release, self.work / "context-a")

    def build(self) -> Measured:
        """See Contestant."""
        return _build(self.work, "a", self.archive)


@dataclass(frozen=True, slots=True)
class ByHand:
    """B: the best split by hand: a linked layer each for ERTS, dependencies, every application of
    the team's own, and the release's files.
    """

    work: Path
    sink: Sink
    own: frozenset[str]
    name: str = BY_HAND

    @property
    def archive(self) -> Path | None:
        """See Contestant."""
        return self.work / "b.tar" if self.sink is Sink.OCI else None

    def forget(self) -> None:
        """See Contestant."""
        forget_builds("bench-b")

    def prepare(self, release: Path) -> None:
        """Sort the release into a folder a layer, as a step of the release would: by hard links,
        which keep the times by which BuildKit's client knows what it has sent.
        """
        stage = self.work / "context-b"
        shutil.rmtree(stage, ignore_errors=True)
        for file in _files(release):
            path = file.relative_to(release)
            copy = stage / self._layer(path.parts) / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, copy)
        layers = ["erts", "dependencies", *sorted(self.own), "release"]
        # Numbers, as names are looked up in what is below, which --link does away with.
        copies = "".join(f"COPY --link --chown=65534:0 {layer} /app/\n" for layer in layers)
        (self.work / "b.Dockerfile").write_text(HEAD + copies + TAIL)

    def build(self) -> Measured:
        """See Contestant."""
        return _build(self.work, "b", self.archive)

    def _layer(self, parts: tuple[str, ...]) -> str:
        if parts[0].startswith("erts-"):
            return "erts"
        if parts[0] != "lib":
            return "release"
        application = parts[1].rpartition("-")[0]
        return application if application in self.own else "dependencies"


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir())


def _link(target: Path, link: Path) -> None:
    """BuildKit keeps what a client sent under the name of the context's folder: one name each."""
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _build(work: Path, name: str, archive: Path | None) -> Measured:
    to = [f"--output=type=oci,dest={archive}"] if archive else ["--load", f"--tag=bench-{name}"]
    command: list[str | Path] = [
        *("docker", "buildx", "build", "--provenance=false", *to),
        *(f"--file={work}/{name}.Dockerfile", work / f"context-{name}"),
    ]
    try:
        return measure(command, {})
    except Failed as failed:
        # Docker 28 says so now and then where builds follow each other closely.
        if "failed to prepare extraction snapshot" not in str(failed):
            raise
        return measure(command, {})
