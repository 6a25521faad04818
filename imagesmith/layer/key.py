"""Keys: SHA-256 over what a layer's bytes follow from, so that equal keys mean equal layers.

Fields are hashed with their length before them: no two lists of fields run into the same bytes.
A piece's key covers one application, or one bucket of it, without its version; a layer's key
covers where its pieces go and who wrote the tar. See docs/layers.md for the scheme.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from imagesmith.beam.module import SCHEME
from imagesmith.layer.member import FileMember, LinkMember, Member

__all__ = ["layer_key", "piece_key"]


def piece_key(kind: str, application: str, members: Iterable[Member]) -> str:
    """The key (hex) of one application's members; they may come in any order."""
    fields = [SCHEME, kind, application]
    for member in sorted(members, key=lambda member: member.path.encode()):
        match member:
            case FileMember(path, content, executable):
                fields += [path, "file", "755" if executable else "644", content.sha256]
            case LinkMember(path, target):
                fields += [path, "link", "777", target]
            case _:
                owner = "" if member.owner == (0, 0) else "{}:{}".format(*member.owner)
                fields += [member.path, "folder", f"{member.mode:o}", owner]
    return _hash(fields)


def layer_key(prefix: str, owner: str, writer: str, pieces: Iterable[str]) -> str:
    """The key (hex) of a layer: path prefix, `uid:gid`, the tar writer, its pieces' keys."""
    return _hash([SCHEME, "layer", prefix, owner, writer, *sorted(pieces)])


def _hash(fields: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in fields:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
