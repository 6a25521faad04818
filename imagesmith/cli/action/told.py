"""What `imagesmith build --progress json` tells on stderr, line by line; and its error."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TypedDict, cast

from imagesmith.cli.quantity import show_size

__all__ = ["BuiltImage", "BuiltLayer", "Told"]


class BuiltLayer(TypedDict):
    """A layer of an image; `found` says where, if it was not written. See cli/progress.py."""

    layer: str
    group: str
    digest: str
    bytes: int
    found: str | None


class BuiltImage(TypedDict):
    """An image; `release` is the folder or archive that it was made of."""

    image: str
    version: str
    digest: str
    bytes: int
    release: str


@dataclass(slots=True)
class Told:
    """All that was told until now.

    `images` have their layers with them. `pushed` counts blobs by what became of them, and bytes;
    None as long as nothing was pushed by the embedded engine.
    """

    images: list[tuple[BuiltImage, list[BuiltLayer]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pushed: dict[str, int] | None = None
    _layers: list[BuiltLayer] = field(default_factory=list)
    _plain: list[str] = field(default_factory=list)

    def hear(self, line: str) -> str:
        """Take note of a line; returns how a person reads it."""
        document = _object(line)
        if document is None:
            self._plain.append(line)
            return line
        if "layer" in document:
            layer = cast("BuiltLayer", document)
            self._layers.append(layer)
            where = f"found: {layer['found']}" if layer["found"] else "written"
            size = show_size(layer["bytes"])
            return f"{layer['group']:<12} {layer['layer']:<28} {size:>9}  {where}"
        if "image" in document:
            image = cast("BuiltImage", document)
            self.images.append((image, self._layers))
            self._layers = []
            return f"{image['image']} {image['version']}: {image['digest']}"
        if "pushed" in document:
            counts = cast("dict[str, int]", document["pushed"])
            before = self.pushed or {}
            self.pushed = {key: before.get(key, 0) + count for key, count in counts.items()}
            return "pushed: " + ", ".join(f"{count} {key}" for key, count in counts.items())
        if "warning" in document:
            self.warnings.append(str(document["warning"]))
            return f"warning: {document['warning']}"
        return str(document.get("note") or document.get("log") or line)

    @property
    def error(self) -> str:
        """The sentence that an error is, or the last words of a build that died without one."""
        ours = self._errors()
        return ours[0] if ours else (self._plain or ["imagesmith build said nothing"])[-1]

    @property
    def last_error(self) -> str:
        """The sentence that ended a command which tells its steps in the same way."""
        ours = self._errors()
        return ours[-1] if ours else (self._plain or ["imagesmith said nothing"])[-1]

    @property
    def error_in_full(self) -> str:
        """With all that follows it: further mistakes of the recipe, and the way out."""
        lines = self._plain if self._errors() else self._plain[-1:]
        return "\n".join(line.removeprefix("imagesmith: ") for line in lines)

    def _errors(self) -> list[str]:
        return [
            line.removeprefix("imagesmith: ")
            for line in self._plain
            if line.startswith("imagesmith: ")
        ]


def _object(line: str) -> dict[str, object] | None:
    try:
        found: object = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
