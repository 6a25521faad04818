"""What a build tells while it works and when it is done; all of it goes to stderr.

`tty` is a table at the end, `plain` a line for each layer as it is made, `json` the same as JSON
objects, `quiet` nothing but warnings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.cli.quantity import show_size

if TYPE_CHECKING:
    from imagesmith.image.image import Image
    from imagesmith.layer.layer import Layer
    from imagesmith.oci.push import PushedBlobs

__all__ = ["Progress", "ProgressMode"]


class ProgressMode(StrEnum):
    """The values of `--progress`."""

    AUTO = "auto"
    PLAIN = "plain"
    TTY = "tty"
    JSON = "json"
    QUIET = "quiet"


class Progress:
    """Tells of one build."""

    def __init__(self, mode: ProgressMode) -> None:
        if mode is ProgressMode.AUTO:
            mode = ProgressMode.TTY if sys.stderr.isatty() else ProgressMode.PLAIN
        self.mode = mode

    def note(self, text: str) -> None:
        """Say something that the user should know, though the build goes on."""
        self._say({"note": text}, f"imagesmith: {text}")

    def log(self, line: str) -> None:
        """A line of somebody else's log, such as BuildKit's."""
        if self.mode in {ProgressMode.PLAIN, ProgressMode.JSON} and line:
            self._say({"log": line}, line)

    def warn(self, text: str) -> None:
        """Say something that the user has to know, even of a quiet build."""
        if self.mode is ProgressMode.JSON:
            self._say({"warning": text}, "")
        else:
            sys.stderr.write(f"imagesmith: warning: {text}\n")

    def layer(self, layer: Layer) -> None:
        """A layer is there."""
        if self.mode is not ProgressMode.TTY:
            at = layer.descriptor
            self._say(
                _document(layer),
                f"{layer.group:<12} {layer.name:<28} {show_size(at.size):>9}  {at.digest}  "
                f"{_found(layer)}",
            )

    def image(self, image: Image, base: str, release: Path) -> None:
        """The image of the release that lies there is complete, though nowhere yet."""
        summary = (
            f"{image.name} {image.version}: {len(image.layers)} layers, "
            f"{show_size(image.size)} compressed, base {base}"
        )
        if self.mode is ProgressMode.TTY:
            _table(image.layers)
        document: dict[str, object] = {
            "image": image.name,
            "version": image.version,
            "digest": image.digest,
            "bytes": image.size,
            "release": str(release.absolute()),
        }
        self._say(document, summary)

    def pushed(self, pushed: PushedBlobs) -> None:
        """Images, or a bundle, are in their registries."""
        self._say({"pushed": asdict(pushed)}, f"imagesmith: pushed: {pushed}")

    def _say(self, document: dict[str, object], text: str) -> None:
        if self.mode is ProgressMode.JSON:
            sys.stderr.write(json.dumps(document) + "\n")
        elif self.mode is not ProgressMode.QUIET:
            sys.stderr.write(text + "\n")


def _document(layer: Layer) -> dict[str, object]:
    return {
        "layer": layer.name,
        "group": layer.group,
        "digest": layer.descriptor.digest,
        "diff_id": layer.diff_id,
        "key": layer.key,
        "bytes": layer.descriptor.size,
        "found": layer.found,
    }


def _found(layer: Layer) -> str:
    return f"found: {layer.found}" if layer.found else "written"


def _table(layers: Sequence[Layer]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("group", style="cyan", no_wrap=True)
    table.add_column("layer")
    table.add_column("compressed", justify="right", no_wrap=True)
    table.add_column("digest", style="dim", no_wrap=True)
    table.add_column("", no_wrap=True)
    for layer in layers:
        short = layer.descriptor.digest[:19]
        table.add_row(
            layer.group, layer.name, show_size(layer.descriptor.size), short, _found(layer)
        )
    Console(stderr=True, highlight=False, markup=False).print(table)
