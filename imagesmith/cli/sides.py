"""OLD and NEW of `plan`: whatever names a release is opened, and read while that is open."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.errors import BaseError, BundleError, UsageError

if TYPE_CHECKING:
    from imagesmith.beam.release import Release
    from imagesmith.image.stored import StoredImage
    from imagesmith.oci.registry import Registry
    from imagesmith.oci.spec import Descriptor
    from imagesmith.upgrade.bundle import Bundle

__all__ = ["Opened", "Opener"]

WAYS = (
    "Name a release (a folder or .tar.gz), an image (oci:DIR, FILE.tar, HOST/NAME:TAG), or an "
    "upgrade bundle of one."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A release, to be read while it is open; of an image or a bundle also its layers, without
    the base's."""

    release: Release
    layers: tuple[Descriptor, ...] | None = None


class Opener:
    """Opens what a command line names; `own` are applications that are the user's own.

    What is unpacked lies in the folder `scratch`, what is fetched in the folder `blobs`.
    """

    def __init__(
        self,
        own: Collection[str],
        connect: Callable[[], Registry],
        scratch: Path,
        blobs: Path,
    ) -> None:
        self._own = own
        self._connect = connect
        self._scratch = scratch
        self._blobs = blobs

    @contextmanager
    def open(self, text: str, below: Release | None = None) -> Iterator[Opened]:
        """What the text names; `below` is the OLD that a bundle may lie on top of.

        Raises UsageError if it names none, ReleaseError, BaseError or BundleError for one that is
        broken, RegistryError in the registry's words.
        """
        from imagesmith.beam.archive import open_tree
        from imagesmith.beam.origin import find_project
        from imagesmith.beam.release import read_release

        path = Path(text)
        is_layout = (path / "oci-layout").is_file()
        is_archive = path.is_file() and path.name.endswith(".tar.gz")
        if is_archive or (path.is_dir() and not is_layout):
            yield Opened(read_release(open_tree(path), own=self._own, project=find_project(path)))
            return
        if bundle := self._bundle(text):
            with self._of_bundle(text, bundle, below) as opened:
                yield opened
            return
        with self._of_image(self._image(text)) as opened:
            yield opened

    def _image(self, text: str) -> StoredImage:
        from imagesmith.image.stored import archive_image, layout_image, registry_image
        from imagesmith.oci.blobs import BlobDir

        path = Path(text)
        if text.startswith("oci:"):
            # As `base:` has it; a folder's own name can hold an @.
            folder, at, digest = text.removeprefix("oci:").rpartition("@sha256:")
            given = f"sha256:{digest}" if at else None
            return layout_image(Path(folder if at else digest), given, name=text)
        if (path / "oci-layout").is_file():
            return layout_image(path)
        if path.is_file():
            return archive_image(path, Path(tempfile.mkdtemp(prefix="image-", dir=self._scratch)))
        if not _is_reference(text):
            raise UsageError(f"{text}: there is no such release, image or bundle", hint=WAYS)
        return registry_image(text, self._connect(), BlobDir(self._blobs))

    @contextmanager
    def _of_image(self, image: StoredImage) -> Iterator[Opened]:
        from imagesmith.base.imageroot import ImageRoot
        from imagesmith.beam.release import read_release
        from imagesmith.image.side import image_side
        from imagesmith.upgrade.tree import ImageTree

        layers = [found.layer for found in image_side(image).layers if not found.is_base]
        if not layers:
            raise UsageError(
                f"{image.name}: imagesmith has not made this image, so there is no telling which "
                "release is in it",
                hint=WAYS,
            )
        with ImageRoot(layers, image.name) as root:
            release = read_release(ImageTree(root), own=self._own)
            yield Opened(release, tuple(layer.descriptor for layer in layers))

    def _bundle(self, text: str) -> Bundle | None:
        """The bundle that the text names, if it is one."""
        from imagesmith.oci.blobs import BlobDir
        from imagesmith.upgrade.bundle import open_bundle

        path = Path(text)
        is_local = text.startswith("oci:") or path.exists()
        if not is_local and not _is_reference(text):
            return None
        try:
            return open_bundle(text, self._connect, BlobDir(self._blobs))
        except (BaseError, BundleError):
            return None

    @contextmanager
    def _of_bundle(self, text: str, bundle: Bundle, below: Release | None) -> Iterator[Opened]:
        """The bundle on top of OLD, if that is where it leads from; else NEW's image, which lies
        where the bundle does, unless that is a file."""
        from imagesmith.beam.release import read_release
        from imagesmith.oci.layout import Layout
        from imagesmith.oci.reference import ImageName
        from imagesmith.upgrade.laid import LaidTree

        facts = bundle.facts
        if below is not None and (below.name, below.version) == (facts.name, facts.before):
            release = read_release(LaidTree(below, bundle), own=self._own)
            yield Opened(release, tuple(layer.descriptor for layer in bundle.layers))
            return
        path = Path(text.removeprefix("oci:").partition("@sha256:")[0])
        image = None
        if (path / "oci-layout").is_file():
            if Layout(path).path(facts.image).is_file():
                image = f"oci:{path}@{facts.image}"
        elif not path.is_file():
            image = f"{ImageName.parse(text).repository}@{facts.image}"
        if image is None:
            raise UsageError(
                f"{text}: this bundle leads from {facts.name} {facts.before} to {facts.after}, and "
                "holds only what changes on the way",
                hint=f"Name {facts.name} {facts.before} as OLD and the bundle as NEW, or the image "
                f"of {facts.after}, whose digest is {facts.image}.",
            )
        with self._of_image(self._image(image)) as opened:
            yield opened


def _is_reference(text: str) -> bool:
    """A bare word is more often a folder's name with a mistake than an image at Docker Hub."""
    return ":" in text.rpartition("/")[2]
