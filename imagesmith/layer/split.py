"""How a release is cut into layers, so that a change ships little and much is shared.

Bottom to top: native code, OTP, Elixir, third parties, the team's own applications, consolidated
protocols, the release's own files. Two rules keep layers shared between releases and versions:

- What an application is cut into depends on that application alone, never on the budget or on the
  applications beside it. Over budget, whole groups are merged (`MERGES`).
- No version is in a layer's paths: an application lies at `lib/APP`, and the release's own layer
  links `lib/APP-VSN` to it (see `layer/files.py`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from imagesmith.beam.origin import Origin
from imagesmith.layer.key import layer_key, piece_key
from imagesmith.layer.member import FileMember, Member
from imagesmith.layer.tar import OWNER, WRITER

__all__ = ["Group", "LayerPlan", "Piece", "Plan", "own_pieces", "plan_layers"]

BIG_BYTES = 512 << 10
"""An application of this size is a layer of its own."""

BUCKETS = {Origin.OTP: 2, Origin.ELIXIR: 1, Origin.THIRD_PARTY: 8}
"""How many layers the small applications of an origin share."""

MODULES_IN_BUCKET = 32
MOST_BUCKETS = 16
ASSETS_BYTES = 256 << 10
"""An own application's priv of this size is a layer of its own: code changes more often."""


class Group(StrEnum):
    """The groups of layers, bottom to top."""

    BASE = "base"
    NATIVE = "native"
    OTP = "otp"
    ELIXIR = "elixir"
    THIRD_PARTY = "third-party"
    OWN = "own"
    PROTOCOLS = "protocols"
    RELEASE = "release"
    PET = "pet"
    APPENDED = "appended"


@dataclass(frozen=True, slots=True)
class Piece:
    """The smallest unit of a layer: an application, or a part of a large one."""

    group: Group
    application: str
    part: str
    members: tuple[Member, ...]
    key: str

    @classmethod
    def of(cls, group: Group, application: str, members: Iterable[Member], part: str = "") -> Piece:
        """A piece with its key."""
        held = tuple(members)
        return cls(group, application, part, held, piece_key(group, application, held))

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(member.content.size for member in self.members if isinstance(member, FileMember))

    @property
    def name(self) -> str:
        """Its application, and which part of it."""
        return f"{self.application}/{self.part}" if self.part else self.application


class Plan(Protocol):
    """What a layer is written from; whoever finds its key in a store asks for no members."""

    @property
    def group(self) -> Group:
        """Where the layer belongs."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def prefix(self) -> str:
        """The folder that everything in it lies under."""

    @property
    def key(self) -> str:
        """Equal keys are equal layers."""

    @property
    def members(self) -> list[Member]:
        """Everything in it."""


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer before it is written: what is in it, and the key that names its bytes."""

    group: Group
    name: str
    prefix: str
    pieces: tuple[Piece, ...]

    @property
    def key(self) -> str:
        """The layer's key: equal keys are equal layers."""
        return layer_key(self.prefix, OWNER, WRITER, (piece.key for piece in self.pieces))

    @property
    def members(self) -> list[Member]:
        """Everything in it."""
        return [member for piece in self.pieces for member in piece.members]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(piece.size for piece in self.pieces)


def own_pieces(application: str, members: Sequence[Member]) -> list[Piece]:
    """Cut one of the team's own applications, by its own size alone.

    From 64 modules on, its `ebin` is cut into a power of two of buckets by a hash of the module's
    name: a changed module ships its bucket, and moves no other module.
    """
    start = f"lib/{application}/ebin/"
    code = [member for member in members if member.path.startswith(start)]
    assets = [member for member in members if not member.path.startswith(start)]
    count = _buckets(len(code))
    apart = count > 1 or (code and _size(assets) >= ASSETS_BYTES)
    if not apart:
        return [Piece.of(Group.OWN, application, members)]
    pieces = [Piece.of(Group.OWN, application, assets, "assets")] if assets else []
    if count == 1:
        return [*pieces, Piece.of(Group.OWN, application, code)]
    buckets: dict[int, list[Member]] = defaultdict(list)
    for member in code:
        buckets[_bucket(member.path.rpartition("/")[2], count)].append(member)
    return pieces + [
        Piece.of(Group.OWN, application, buckets[number], f"{number + 1}of{count}")
        for number in sorted(buckets)
    ]


def plan_layers(pieces: Sequence[Piece], budget: int, prefix: str) -> list[LayerPlan]:
    """Group the pieces into at most `budget` layers (which the recipe keeps at 8 or more)."""
    for merging in range(len(MERGES) + 1):
        layers = _layers(pieces, MERGES[:merging], prefix)
        if len(layers) <= budget:
            return layers
    own = [layer for layer in layers if layer.group is Group.OWN]
    room = budget - (len(layers) - len(own))
    merged = {Group.OWN: lambda piece: f"own {_bucket(piece.name, room) + 1} of {room}"}
    return _layers(pieces, [*MERGES, merged], prefix)


Naming = Callable[[Piece], str]


def _small_together(origin: Origin) -> Naming:
    count = BUCKETS[origin]

    def name(piece: Piece) -> str:
        if piece.size >= BIG_BYTES:
            return piece.name
        return _bucket_name(origin, piece, count)

    return name


def _bucket_name(origin: Origin, piece: Piece, count: int) -> str:
    if count == 1:
        return f"small {origin}"
    return f"small {origin} {_bucket(piece.name, count) + 1} of {count}"


LAYER_NAMES: Mapping[Group, Naming] = {
    Group.NATIVE: lambda _: "native",
    Group.OTP: _small_together(Origin.OTP),
    Group.ELIXIR: _small_together(Origin.ELIXIR),
    Group.THIRD_PARTY: _small_together(Origin.THIRD_PARTY),
    Group.OWN: lambda piece: piece.name,
    Group.PROTOCOLS: lambda _: "protocols",
    Group.RELEASE: lambda _: "release",
}

# What is given up first when there are more layers than the budget allows: what changes least.
MERGES: Sequence[Mapping[Group, Naming]] = (
    {Group.OTP: lambda _: "otp", Group.ELIXIR: lambda _: "elixir"},
    {
        Group.THIRD_PARTY: lambda piece: _bucket_name(
            Origin.THIRD_PARTY, piece, BUCKETS[Origin.THIRD_PARTY]
        )
    },
    {Group.THIRD_PARTY: lambda _: "third-party"},
)


def _layers(
    pieces: Sequence[Piece], merges: Sequence[Mapping[Group, Naming]], prefix: str
) -> list[LayerPlan]:
    """Pieces that get the same name make a layer; layers in the order of Group, then by name."""
    naming = dict(LAYER_NAMES)
    for merge in merges:
        naming.update(merge)
    found: dict[tuple[int, str], list[Piece]] = defaultdict(list)
    order = list(Group)
    for piece in pieces:
        found[order.index(piece.group), naming[piece.group](piece)].append(piece)
    return [
        LayerPlan(order[at], name, prefix, tuple(sorted(held, key=lambda piece: piece.name)))
        for (at, name), held in sorted(found.items())
    ]


def _buckets(modules: int) -> int:
    if modules < 2 * MODULES_IN_BUCKET:
        return 1
    return min(MOST_BUCKETS, 1 << (-(-modules // MODULES_IN_BUCKET) - 1).bit_length())


def _bucket(name: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % count


def _size(members: Iterable[Member]) -> int:
    return sum(member.content.size for member in members if isinstance(member, FileMember))
