"""The step of action.yml: build, tell, plan, and note down what the next steps want to know."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from imagesmith.cli.action.compare import compare, compared_with
from imagesmith.cli.action.inputs import Inputs
from imagesmith.cli.action.plan import earlier, plan
from imagesmith.cli.action.summary import failure, plan_section, summary
from imagesmith.cli.action.told import Told
from imagesmith.cli.action.workflow import annotate, group, write_outputs, write_summary
from imagesmith.errors import ImagesmithError

__all__ = ["main"]

TITLE = "imagesmith"
IMAGESMITH = (sys.executable, "-I", "-m", "imagesmith")
KEPT = "1GB"
"""How much of the layer cache is kept from run to run; GitHub keeps 10 GB for a repository."""

PLACE = re.compile(r"(?P<file>[^:]+\.ya?ml):(?P<line>[0-9]+):(?P<col>[0-9]+): ")


def main() -> int:
    """Do it all; returns the exit code of the build."""
    inputs = Inputs(os.environ)
    temporary = Path(os.environ.get("RUNNER_TEMP") or tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="imagesmith-action-", dir=temporary) as scratch:
        try:
            return _Step(inputs, temporary / "imagesmith/layers", Path(scratch)).run()
        except ImagesmithError as error:
            annotate("error", error.message, title=TITLE)
            write_summary(failure(error.message))
            return error.exit_code


@dataclass(frozen=True, slots=True)
class _Step:
    """`layers` is the folder of the cache that actions/cache keeps."""

    inputs: Inputs
    layers: Path
    scratch: Path

    def run(self) -> int:
        metadata = self.scratch / "metadata.json"
        words = [
            *(*IMAGESMITH, "build", "--progress", "json", "--metadata-file", str(metadata)),
            *self._cache(),
            *self.inputs.build(self.scratch),
        ]
        against = earlier(self.inputs)
        old = compared_with(self.inputs)
        told = Told()
        code, printed = self._build(words, told)
        for warning in told.warnings:
            annotate("warning", warning, title=TITLE)
        if code:
            annotate("error", told.error, title=TITLE, **self._place(told.error))
            write_summary(failure(told.error_in_full))
            return code
        lines = printed.splitlines()
        bundle = lines.pop(0) if self.inputs.text("upgrade-from") else None
        planned = plan(self.inputs, against, told, lines) if against else None
        section = plan_section(planned) if planned else ""
        write_summary(summary(told, lines, bundle, section))
        images = json.loads(metadata.read_text())
        write_outputs(
            {
                "imageid": _of_each(images, "containerimage.config.digest"),
                "digest": _of_each(images, "containerimage.digest"),
                "metadata": json.dumps(images),
                "image": "\n".join(lines),
                "bundle": bundle or "",
                "verdict": planned["verdict"] if planned else "",
                "plan": section,
                "cache-key": self._cache_key(),
            }
        )
        if old:
            report = compare(self.inputs, old, told)
            write_summary((report / "report.md").read_text())
            write_outputs({"report": str(report)})
        return 0

    def _cache(self) -> list[str]:
        if self.inputs.flag("no-cache"):
            return ["--cache-dir", str(self.scratch / "layers")]
        return ["--cache-dir", str(self.layers)] if self.inputs.flag("cache") else []

    def _environment(self) -> dict[str, str]:
        builder = self.inputs.text("builder")
        return {**os.environ, **({"BUILDX_BUILDER": builder} if builder else {})}

    def _build(self, words: Sequence[str], told: Told) -> tuple[int, str]:
        """Run it; returns its exit code as a shell has it, and its stdout."""
        shown = shlex.join(["imagesmith", *words[len(IMAGESMITH) :]])
        with (
            group(shown),
            (self.scratch / "stdout").open("w+") as stdout,
            subprocess.Popen(
                words,
                stdout=stdout,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                cwd=self.inputs.context,
                env=self._environment(),
            ) as process,
        ):
            # A job that is cancelled: the build clears away what it has begun, and says so.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda which, _: process.send_signal(which))
            assert process.stderr
            for line in process.stderr:
                print(told.hear(line.rstrip("\n")), flush=True)
            code = process.wait()
            stdout.seek(0)
            printed = stdout.read()
            print(printed, end="")
        return (code if code >= 0 else 128 - code), printed

    def _place(self, error: str) -> dict[str, str]:
        """Where in the repository a mistake of a recipe is, for the annotation to stand there."""
        found = PLACE.match(error)
        if found is None:
            return {}
        place = found.groupdict()
        return place | {"file": os.path.normpath(self.inputs.context / place["file"])}

    def _cache_key(self) -> str:
        """The key to keep the layer cache by; empty if it is kept already, or is not to be."""
        wanted = os.environ.get("CACHE_WANTED")
        if not wanted:
            return ""
        prune = ("cache", "prune", "--max-size", KEPT, "--cache-dir", str(self.layers))
        subprocess.run([*IMAGESMITH, *prune], check=False, stdout=subprocess.DEVNULL)
        # Files are named by what is in them, or by what they were made of.
        names = sorted(
            str(path.relative_to(self.layers))
            for path in self.layers.rglob("*")
            if path.is_file() and "running" not in path.parts
        )
        key = wanted + hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
        return "" if key == os.environ.get("CACHE_FOUND") else key


def _of_each(metadata: Mapping[str, object], key: str) -> str:
    """A line each; of one image, the metadata is that of the image (see cli/deliver.py)."""
    images = [metadata] if key in metadata else metadata.values()
    return "\n".join(str(cast("Mapping[str, object]", image)[key]) for image in images)
