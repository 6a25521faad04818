"""Descriptors, manifests, image configurations and indexes, read from JSON and written to it.

Written JSON is canonical here: keys sorted, no blanks, UTF-8; the same image always has the same
digest. Read JSON is checked for the shapes that we rely on, and no more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imagesmith.errors import BaseError

__all__ = [
    "DIGEST",
    "EPOCH",
    "Config",
    "Descriptor",
    "Json",
    "MediaType",
    "Platform",
    "array",
    "contents",
    "digest_of",
    "index",
    "manifest",
    "object_of",
    "parse",
    "string",
    "to_bytes",
]

EPOCH = 315_532_800
"""1980-01-01T00:00:00Z in seconds, the time of all that we write: zip and some programs refuse what
is older."""

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class MediaType:
    """The media types that imagesmith writes (OCI "Media Types") and reads besides."""

    MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    INDEX = "application/vnd.oci.image.index.v1+json"
    CONFIG = "application/vnd.oci.image.config.v1+json"
    LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
    LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
    LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
    EMPTY = "application/vnd.oci.empty.v1+json"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
    DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system and CPU architecture, in Go's words (`linux`, `amd64`)."""

    architecture: str
    os: str = "linux"

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"

    def to_json(self) -> dict[str, Json]:
        """The `platform` of a descriptor."""
        return {"architecture": self.architecture, "os": self.os}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What and where: media type, digest (`sha256:…`), size in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None

    @classmethod
    def of(cls, media_type: str, data: bytes) -> Descriptor:
        """The descriptor of these bytes."""
        return cls(media_type, digest_of(data), len(data))

    @classmethod
    def from_json(cls, value: Json, place: str) -> Descriptor:
        """Read one; raises BaseError, naming `place`, if it is none."""
        found = object_of(value, place)
        digest, size = string(found.get("digest"), f"{place}.digest"), found.get("size")
        if not DIGEST.fullmatch(digest):
            raise BaseError(f"{place}.digest: only sha256 digests are known, not {digest[:80]!r}")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise BaseError(f"{place}.size: should be a number of bytes")
        annotations = object_of(found.get("annotations") or {}, f"{place}.annotations")
        platform = None
        if found.get("platform"):
            of = object_of(found["platform"], f"{place}.platform")
            platform = Platform(str(of.get("architecture")), str(of.get("os")))
        return cls(
            string(found.get("mediaType"), f"{place}.mediaType"),
            digest,
            size,
            platform,
            {key: str(value) for key, value in annotations.items()},
            str(found["artifactType"]) if found.get("artifactType") else None,
        )

    def to_json(self) -> dict[str, Json]:
        """OCI "Content Descriptors"."""
        out: dict[str, Json] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.platform:
            out["platform"] = self.platform.to_json()
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        if self.artifact_type:
            out["artifactType"] = self.artifact_type
        return out


@dataclass(frozen=True, slots=True)
class Config:
    """OCI "Image Configuration": how a container of the image is run, and its layers' diff IDs.

    `env` maps names to values; `created` is an RFC 3339 time.
    """

    platform: Platform
    created: str
    diff_ids: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    ports: tuple[str, ...] = ()
    stop_signal: str = ""
    history: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The document; a history entry a layer, as Docker's `history` expects."""
        config: dict[str, Json] = {
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "Labels": dict(self.labels),
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "WorkingDir": self.working_dir,
            "User": self.user,
            "ExposedPorts": {port: {} for port in self.ports},
            "StopSignal": self.stop_signal,
        }
        return {
            **self.platform.to_json(),
            "created": self.created,
            "config": {key: value for key, value in config.items() if value},
            "rootfs": {"type": "layers", "diff_ids": list(self.diff_ids)},
            "history": [{"created": self.created, "created_by": line} for line in self.history],
        }


def manifest(
    config: Descriptor, layers: Sequence[Descriptor], annotations: Mapping[str, str]
) -> bytes:
    """OCI "Image Manifest"."""
    out: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": MediaType.MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    if annotations:
        out["annotations"] = dict(annotations)
    return to_bytes(out)


def contents(document: bytes, place: str) -> tuple[Descriptor, list[Descriptor]]:
    """A manifest's configuration and layers. Raises BaseError, naming `place`, if it is none."""
    found = parse(document, place)
    layers = array(found.get("layers"), f"{place}: layers")
    return Descriptor.from_json(found.get("config"), f"{place}: config"), [
        Descriptor.from_json(item, f"{place}: layers[{number}]")
        for number, item in enumerate(layers)
    ]


def index(manifests: Sequence[Descriptor]) -> bytes:
    """OCI "Image Index"."""
    return to_bytes(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.INDEX,
            "manifests": [item.to_json() for item in manifests],
        }
    )


def to_bytes(document: Json) -> bytes:
    """Canonical JSON."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(data: bytes) -> str:
    """`sha256:` and the SHA-256 of the bytes in hex."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def parse(data: bytes, place: str) -> Mapping[str, Json]:
    """A JSON object; raises BaseError, naming `place`, if it is none."""
    try:
        value: Json = json.loads(data)
    except (ValueError, RecursionError):
        raise BaseError(f"{place}: this is not JSON") from None
    return object_of(value, place)


def object_of(value: Json, place: str) -> Mapping[str, Json]:
    """`value`, which must be an object. Raises BaseError, naming `place`."""
    if not isinstance(value, Mapping):
        raise BaseError(f"{place}: should be a JSON object")
    return value


def array(value: Json, place: str) -> Sequence[Json]:
    """`value`, which must be an array. Raises BaseError, naming `place`."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise BaseError(f"{place}: should be a JSON array")
    return value


def string(value: Json, place: str) -> str:
    """`value`, which must be a string. Raises BaseError, naming `place`."""
    if not isinstance(value, str):
        raise BaseError(f"{place}: should be a string")
    return value
