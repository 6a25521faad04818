"""What a bundle says of itself: from which release to which, and what NEW consists of.

It is the bundle's configuration, as canonical JSON. Paths are relative to the upgrade volume. A
bundle can come from anywhere, so every path is checked before anybody writes it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from imagesmith.errors import BaseError, BundleError
from imagesmith.layer.member import parents
from imagesmith.oci.spec import DIGEST, Json, array, object_of, parse, string, to_bytes
from imagesmith.plan.change import Change

__all__ = ["BundleFile", "BundleLink", "Facts", "parse_facts"]

HEX = re.compile(r"[0-9a-f]{64}")
VERSION = re.compile(r"[^/\x00-\x20\x7f]+")
TOOLS = ("mix", "relx")
IMAGE = "/app"
"""Where the image has the release: links lead there."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of NEW: its place on the volume, its content, and where the bundle has it.

    `layer` is the diff ID of the layer that holds it, `member` its path in that layer's tar.
    """

    path: str
    sha256: str
    executable: bool
    layer: str
    member: str


@dataclass(frozen=True, slots=True)
class BundleLink:
    """A link: into the image for native code, which no upgrade changes, or as NEW has it."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What leads from the release `before` to the release `after`.

    `before_digest` and `after_digest` are release digests (`image.pet.image.release_digest`, hex).
    `volume` is where the upgrade volume is mounted, `image` the digest of NEW's pet image, `size`
    the bytes of all files. `layers` are the diff IDs of the bundle's layers, in their order.
    """

    name: str
    tool: str
    erts: str
    before: str
    after: str
    before_digest: str
    after_digest: str
    changes: tuple[Change, ...]
    files: tuple[BundleFile, ...]
    links: tuple[BundleLink, ...]
    volume: str
    image: str
    size: int
    layers: tuple[str, ...]

    @property
    def relup(self) -> str:
        """Where the relup lies on the volume."""
        return f"releases/{self.after}/relup"

    def to_bytes(self) -> bytes:
        """The bundle's configuration. The diff IDs lie where an image has them, for tools."""
        return to_bytes(
            {
                "name": self.name,
                "tool": self.tool,
                "erts": self.erts,
                "before": {"version": self.before, "digest": self.before_digest},
                "after": {"version": self.after, "digest": self.after_digest},
                "changes": [
                    {"name": item.name, "before": item.before, "after": item.after}
                    for item in self.changes
                ],
                "files": [
                    {
                        "path": item.path,
                        "sha256": item.sha256,
                        "executable": item.executable,
                        "layer": item.layer,
                        "member": item.member,
                    }
                    for item in self.files
                ],
                "links": [{"path": item.path, "target": item.target} for item in self.links],
                "volume": self.volume,
                "image": self.image,
                "size": self.size,
                "rootfs": {"type": "layers", "diff_ids": list(self.layers)},
            }
        )


def parse_facts(data: bytes, place: str) -> Facts:
    """Read a bundle's configuration. Raises BundleError, naming `place`, if it is none, or if it
    would write outside of what an upgrade brings."""
    try:
        facts = _facts(data, place)
    except BaseError as error:
        raise BundleError(error.message) from None
    _check(facts, place)
    return facts


def _facts(data: bytes, place: str) -> Facts:
    found = parse(data, place)
    before = object_of(found.get("before"), f"{place}: before")
    after = object_of(found.get("after"), f"{place}: after")
    rootfs = object_of(found.get("rootfs"), f"{place}: rootfs")
    size = found.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise BaseError(f"{place}: size: should be a number of bytes")

    def texts(item: Json, *keys: str) -> list[str]:
        held = object_of(item, place)
        return [string(held.get(key), f"{place}: {key}") for key in keys]

    def items(key: str, read: Callable[[Json], Item]) -> tuple[Item, ...]:
        return tuple(read(item) for item in array(found.get(key), f"{place}: {key}"))

    def change(item: Json) -> Change:
        held = object_of(item, place)
        old, new = (
            None if held.get(key) is None else str(held[key]) for key in ("before", "after")
        )
        return Change(texts(item, "name")[0], old, new)

    def file(item: Json) -> BundleFile:
        path, sha256, layer, member = texts(item, "path", "sha256", "layer", "member")
        return BundleFile(
            path, sha256, object_of(item, place).get("executable") is True, layer, member
        )

    name, tool, erts, volume, image = texts(found, "name", "tool", "erts", "volume", "image")
    old_version, old_digest = texts(before, "version", "digest")
    new_version, new_digest = texts(after, "version", "digest")
    return Facts(
        name,
        tool,
        erts,
        old_version,
        new_version,
        old_digest,
        new_digest,
        items("changes", change),
        items("files", file),
        items("links", lambda item: BundleLink(*texts(item, "path", "target"))),
        volume,
        image,
        size,
        tuple(string(item, place) for item in array(rootfs.get("diff_ids"), place)),
    )


def _check(facts: Facts, place: str) -> None:
    versions = (facts.before, facts.after, facts.erts, facts.name)
    if not all(VERSION.fullmatch(text) and text not in (".", "..") for text in versions):
        raise BundleError(f"{place}: it has a name or version that no release has")
    if facts.tool not in TOOLS or not facts.volume.startswith("/"):
        raise BundleError(f"{place}: its tool or its volume is none")
    digests = [facts.image, *facts.layers]
    hexes = [facts.before_digest, facts.after_digest, *(file.sha256 for file in facts.files)]
    if not (all(map(DIGEST.fullmatch, digests)) and all(map(HEX.fullmatch, hexes))):
        raise BundleError(f"{place}: it has a digest that is none")
    if any(file.layer not in facts.layers for file in facts.files):
        raise BundleError(f"{place}: it names files of a layer that it does not have")
    starts = [f"lib/{item.name}-{item.after}/" for item in facts.changes if item.after is not None]
    starts.append(f"releases/{facts.after}/")
    paths = [*(file.path for file in facts.files), *(link.path for link in facts.links)]
    for path in paths:
        if not (path.startswith(tuple(starts)) and _is_plain(path)):
            raise BundleError(f"{place}: it would write {path!a}, which is none of {facts.after}'s")
    for link in facts.links:
        if not _stays(link):
            raise BundleError(f"{place}: its link {link.path!a} leads to {link.target!a}")
    members = {(file.layer, file.member) for file in facts.files}
    if len(set(paths)) < len(paths) or len(members) < len(facts.files):
        raise BundleError(f"{place}: it names a file twice")
    if inside := set(paths).intersection(parents(paths)):
        raise BundleError(f"{place}: it has files in {min(inside)!a}, which is no folder")


def _stays(link: BundleLink) -> bool:
    """Whether it leads into the image's release, or stays in its own application or release."""
    if link.target.startswith(f"{IMAGE}/"):
        return _is_plain(link.target.removeprefix("/"))
    own = "/".join(link.path.split("/")[:2])
    led_to = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    return led_to.startswith(f"{own}/") and link.target.isprintable()


def _is_plain(path: str) -> bool:
    """Whether the path means what it says: no `..`, no empty part, no control character."""
    return path == posixpath.normpath(path) and ".." not in path.split("/") and path.isprintable()
