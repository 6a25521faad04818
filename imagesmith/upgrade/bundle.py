"""An upgrade bundle: what a container needs to become the next release, as one OCI artifact.

    config    facts.Facts as JSON
    layers    those layers of NEW's cattle image that hold changed files, bit for bit, so that a
              registry which has the image has them; then the upgrade's own layer

An artifact as OCI image-spec 1.1, "Guidelines for Artifact Usage", has it. It lies in a layout, in
an archive of one, or in a registry.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imagesmith.base.remote import fetched
from imagesmith.errors import BaseError, BundleError, RegistryError
from imagesmith.oci.archive import write_archive_file
from imagesmith.oci.blob import BlobStore, Source
from imagesmith.oci.layout import REF_NAME, Layout, write_layout
from imagesmith.oci.push import PushedBlobs, Wanted, push_images
from imagesmith.oci.reference import ImageName, Reference
from imagesmith.oci.registry import Registry
from imagesmith.oci.spec import Descriptor, MediaType, array, contents, parse, to_bytes
from imagesmith.plan.change import Change
from imagesmith.upgrade.facts import BundleFile, BundleLink, Facts, parse_facts
from imagesmith.upgrade.relup import Relup, parse_relup
from imagesmith.upgrade.unpack import read_file, volume_tar

__all__ = [
    "ARTIFACT",
    "CONFIG",
    "Bundle",
    "BundleFile",
    "BundleLink",
    "Change",
    "Facts",
    "make_bundle",
    "open_bundle",
    "push_bundle",
    "volume_tar",
    "write_bundle",
]

ARTIFACT = "application/vnd.imagesmith.upgrade.v1"
CONFIG = "application/vnd.imagesmith.upgrade.config.v1+json"
BLOB = re.compile(r"(?:\./)?blobs/(sha256)/([0-9a-f]{64})")
MAX_DOCUMENT_BYTES = 16 << 20
"""More than the facts of a release of 50,000 files take."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle: its facts, and its layers' blobs in the order of `facts.layers`."""

    facts: Facts
    layers: tuple[Source, ...]
    manifest: bytes

    @property
    def descriptor(self) -> Descriptor:
        """What and where: the digest is the bundle's own."""
        return Descriptor.of(MediaType.MANIFEST, self.manifest)

    @property
    def size(self) -> int:
        """Bytes of all layers as compressed: what travels, if nothing of it is there already."""
        return sum(layer.descriptor.size for layer in self.layers)

    @property
    def relup(self) -> Relup:
        """What the release handler is to do; read anew each time. Raises BundleError."""
        place = self.facts.relup
        return parse_relup(read_file(self.facts, self.layers, place), place)

    def blobs(self) -> list[Source]:
        """Layers and configuration."""
        config = self.facts.to_bytes()
        return [*self.layers, _document(CONFIG, config)]


def make_bundle(facts: Facts, layers: Sequence[Source]) -> Bundle:
    """Put the layers under their facts; both in the order of `facts.layers`."""
    document = to_bytes(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.MANIFEST,
            "artifactType": ARTIFACT,
            "config": Descriptor.of(CONFIG, facts.to_bytes()).to_json(),
            "layers": [layer.descriptor.to_json() for layer in layers],
            "annotations": {
                "org.opencontainers.image.title": f"{facts.name} {facts.before} to {facts.after}",
                "org.opencontainers.image.version": facts.after,
            },
        }
    )
    return Bundle(facts, tuple(layers), document)


def write_bundle(bundle: Bundle, path: Path, *, layout: bool = False) -> None:
    """Write the bundle as an archive, or into an OCI layout. Raises OutputError."""
    manifest = _document(MediaType.MANIFEST, bundle.manifest)
    entry = Descriptor(
        MediaType.MANIFEST,
        manifest.descriptor.digest,
        manifest.descriptor.size,
        annotations={REF_NAME: f"{bundle.facts.before}-{bundle.facts.after}".replace("+", "-")},
        artifact_type=ARTIFACT,
    )
    blobs = [*bundle.blobs(), manifest]
    if layout:
        write_layout(path, blobs, [entry])
    else:
        write_archive_file(path, blobs, [entry])


def push_bundle(bundle: Bundle, reference: str, registry: Registry) -> PushedBlobs:
    """Push the bundle; blobs that the registry has are not sent again. Raises RegistryError."""
    wanted = Wanted(
        bundle.blobs(), bundle.manifest, MediaType.MANIFEST, [Reference.parse(reference)]
    )
    return push_images(registry, [wanted])


def open_bundle(place: str, registry: Callable[[], Registry], store: BlobStore) -> Bundle:
    """The bundle at a place: an archive's path, `oci:DIR[@DIGEST]`, or a reference.

    Of one in a registry, what is read is kept in `store`. Raises BundleError if it is none or
    damaged, RegistryError in the registry's words, UsageError for a reference that is none.
    """
    path = Path(place.removeprefix("oci:"))
    try:
        if place.startswith("oci:") or (path / "oci-layout").is_file():
            return _of_layout(place)
        if path.is_file():
            return _of_archive(path)
        if path.is_absolute() or path.suffix == ".tar" or path.exists():
            raise BundleError(
                f"{place}: there is no such bundle", hint="Name FILE, oci:DIR, or HOST/NAME:TAG."
            )
        return _of_registry(place, registry(), store)
    except BaseError as error:
        raise BundleError(error.message, hint=error.hint) from None


def _is_bundle(document: bytes, place: str) -> bool:
    return parse(document, place).get("artifactType") == ARTIFACT


def _of_layout(place: str) -> Bundle:
    folder, at, digest = place.removeprefix("oci:").rpartition("@sha256:")
    layout = Layout(Path(folder if at else digest))
    found = [item for item in layout.manifests if not at or item.digest == f"sha256:{digest}"]
    return _only(place, found, layout.open)


def _of_archive(path: Path) -> Bundle:
    """Where each blob lies in the archive is noted; nothing is unpacked."""
    places: dict[str, tuple[int, int]] = {}
    index: list[Descriptor] = []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if match := BLOB.fullmatch(member.name):
                    places[f"{match[1]}:{match[2]}"] = (member.offset_data, member.size)
                elif member.name.removeprefix("./") == "index.json":
                    data = archive.extractfile(member)
                    document = parse(data.read() if data else b"", f"{path}: index.json")
                    entries = array(document.get("manifests"), f"{path}: index.json")
                    index = [Descriptor.from_json(item, str(path)) for item in entries]
    except (tarfile.TarError, OSError) as error:
        raise BundleError(
            f"{path}: this is no bundle: it cannot be read as a tar: {error}"
        ) from None

    def open_blob(descriptor: Descriptor) -> BinaryIO:
        if descriptor.digest not in places:
            raise BundleError(f"{path}: it lacks the blob {descriptor.digest}")
        return io.BufferedReader(_Part(path, *places[descriptor.digest]))

    return _only(str(path), index, open_blob)


def _of_registry(place: str, registry: Registry, store: BlobStore) -> Bundle:
    name = ImageName.parse(place)
    repository = registry.repository(name.repository)
    try:
        descriptor, document = repository.manifest(name.wanted)
    except RegistryError as error:
        if error.status == 404:
            raise BundleError(f"{place}: there is no such bundle, and no such file") from None
        raise

    def open_blob(wanted: Descriptor) -> BinaryIO:
        if wanted.digest == descriptor.digest:
            return io.BytesIO(document)
        return fetched(repository, store, wanted)

    return _only(place, [descriptor], open_blob, (name.repository,))


def _only(
    place: str,
    entries: Sequence[Descriptor],
    open_blob: Callable[[Descriptor], BinaryIO],
    holders: tuple[str, ...] = (),
) -> Bundle:
    """The one bundle among the manifests."""
    found = {
        item.digest: document
        for item in entries
        if item.media_type == MediaType.MANIFEST
        and _is_bundle(document := _read(open_blob(item), item, place), place)
    }
    if len(found) != 1:
        raise BundleError(
            f"{place}: there are {len(found)} upgrade bundles here"
            if found
            else f"{place}: this is no upgrade bundle",
            hint="Name one by its digest: `oci:DIR@sha256:…`."
            if found
            else "`imagesmith build --mode pet --upgrade-from OLD` makes one.",
        )
    [document] = found.values()
    config, layers = contents(document, place)
    facts = parse_facts(_read(open_blob(config), config, place), f"{place}: {config.digest}")
    if len(layers) != len(facts.layers):
        raise BundleError(f"{place}: {len(layers)} layers, but {len(facts.layers)} diff IDs")
    sources = tuple(Source(layer, partial(open_blob, layer), holders) for layer in layers)
    return Bundle(facts, sources, document)


def _read(file: BinaryIO, descriptor: Descriptor, place: str) -> bytes:
    with file:
        data = file.read(MAX_DOCUMENT_BYTES)
    if Descriptor.of(descriptor.media_type, data).digest != descriptor.digest:
        raise BundleError(f"{place}: blob {descriptor.digest} is damaged")
    return data


def _document(media_type: str, data: bytes) -> Source:
    return Source(Descriptor.of(media_type, data), partial(io.BytesIO, data))


class _Part(io.RawIOBase):
    """A blob where it lies in an archive."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(start)
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
