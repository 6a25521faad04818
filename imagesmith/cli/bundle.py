"""`build --upgrade-from`: the OLD that it names, and the bundle that leads from there to NEW."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.cli.quantity import show_size
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.beam.release import Release
    from imagesmith.cli.progress import Progress
    from imagesmith.image.image import Image
    from imagesmith.image.stored import StoredImage
    from imagesmith.layer.split import LayerPlan
    from imagesmith.layer.store import Store
    from imagesmith.oci.registry import Registry
    from imagesmith.recipe import Recipe
    from imagesmith.upgrade.before import Before
    from imagesmith.upgrade.make import Hot, Upgrade
    from imagesmith.upgrade.systools import Run

__all__ = ["BundlePlace", "UpgradeMaker", "bundle_place", "opened_before"]

SUFFIX = ".upgrade.tar"


@dataclass(frozen=True, slots=True)
class BundlePlace:
    """Where the bundle goes: a file, by default one named after it; a layout, or a registry."""

    path: Path | None = None
    reference: str | None = None
    layout: bool = False


def bundle_place(text: str | None) -> BundlePlace:
    """What `--bundle` names: FILE, oci:DIR, or HOST/NAME:TAG. Raises UsageError, OutputError."""
    from imagesmith.oci.layout import check_target
    from imagesmith.oci.reference import Reference

    if text is None:
        return BundlePlace()
    if text.startswith("oci:"):
        path = Path(text.removeprefix("oci:"))
        check_target(path)
        return BundlePlace(path, layout=True)
    if text.endswith(".tar") or ":" not in text.rpartition("/")[2]:
        return BundlePlace(Path(text))
    try:
        Reference.parse(text)
    except UsageError:
        raise UsageError(
            f"--bundle {text}: this is no file, no oci:DIR and no image reference",
            hint="Write FILE.tar, oci:DIR, or HOST/NAME:TAG in lower case.",
        ) from None
    return BundlePlace(reference=text)


class UpgradeMaker:
    """Makes the upgrade of a build: is there one? Then, with NEW's image, its bundle."""

    def __init__(self, before: Before, recipe: Recipe, scratch: Path, telling: Progress) -> None:
        self._before = before
        self._recipe = recipe
        self._scratch = scratch
        self._telling = telling
        self._hot: Hot | None = None
        self._upgrade: Upgrade | None = None

    def check(self, release: Release, cattle: Sequence[LayerPlan]) -> None:
        """Plan it, and make the relup if NEW's runtime system can be executed here.

        Raises UpgradeError with every reason against it.
        """
        from imagesmith.upgrade.make import After, plan_upgrade
        from imagesmith.upgrade.systools import NotExecutableHere, on_this_host

        self._hot = plan_upgrade(self._before, After(release, self._recipe, cattle))
        for remark in self._hot.plan.told:
            self._telling.note(f"{release.name}: {remark.says} ({remark.kind})")
        if self._hot.plan.told:
            self._telling.note("`imagesmith plan OLD NEW` tells the way out of each")
        try:
            self._make(on_this_host(release))
        except NotExecutableHere as error:
            self._telling.note(
                f"{release.name}: the relup is made in a container: this machine cannot execute "
                f"NEW's runtime system ({error.reason})"
            )

    def finish(self, image: Image) -> None:
        """Make the relup, if it is still to be made, in a container of NEW's image."""
        from imagesmith.upgrade.systools_docker import in_container

        if self._upgrade is None:
            self._make(in_container(image))

    def _make(self, run: Run) -> None:
        from imagesmith.upgrade.make import make_upgrade

        assert self._hot is not None  # `check` comes first
        folder = Path(tempfile.mkdtemp(prefix="systools-", dir=self._scratch))
        self._upgrade = make_upgrade(self._hot, folder, run)
        for warning in self._upgrade.warnings:
            self._telling.warn(f"{self._hot.after.release.name}: {warning}")

    def write(
        self,
        to: BundlePlace,
        image: Image,
        digest: str,
        holders: Sequence[str],
        store: Store,
        connect: Callable[[], Registry],
    ) -> str:
        """Make the bundle and put it there; returns what names it.

        `digest` names the image, and `holders` are the repositories that have it by now.
        """
        from imagesmith.upgrade.bundle import push_bundle, write_bundle
        from imagesmith.upgrade.make import bundle_of

        assert self._upgrade is not None  # `finish` comes before
        bundle = bundle_of(self._upgrade, image, digest, store)
        facts, digest = bundle.facts, bundle.descriptor.digest
        self._telling.note(
            f"upgrade {facts.before} to {facts.after}: {len(facts.changes)} applications change, "
            f"{show_size(facts.size)} in {len(facts.files)} files"
        )
        if to.reference:
            layers = [replace(layer, holders=(*layer.holders, *holders)) for layer in bundle.layers]
            pushed = push_bundle(replace(bundle, layers=tuple(layers)), to.reference, connect())
            self._telling.pushed(pushed)
            return f"{to.reference}@{digest}"
        path = to.path or Path(f"{facts.name}-{facts.before}-{facts.after}{SUFFIX}")
        write_bundle(bundle, path, layout=to.layout)
        return f"oci:{path}@{digest}" if to.layout else str(path)


@contextmanager
def opened_before(
    text: str, recipe: Recipe, connect: Callable[[], Registry], scratch: Path
) -> Iterator[Before]:
    """The OLD that `--upgrade-from` names, to be read while this is open.

    Raises UsageError if it is nothing that there is an upgrade from, and as `image_before`.
    """
    from imagesmith.cli.find import Found
    from imagesmith.cli.make import read
    from imagesmith.image.stored import archive_image, layout_image
    from imagesmith.upgrade.before import image_before, release_before

    text = _image_of_bundle(text, connect, scratch) or text
    path = Path(text)
    if text.startswith("oci:"):
        # As `base:` has it; a folder's own name can hold an @.
        folder, at, digest = text.removeprefix("oci:").rpartition("@sha256:")
        given = f"sha256:{digest}" if at else None
        image = layout_image(Path(folder if at else digest), given, name=text)
    elif (path / "oci-layout").is_file():
        image = layout_image(path)
    elif path.is_dir() or path.name.endswith(".tar.gz"):
        old = read(recipe, Found(None, path, path))
        yield release_before(old, recipe)
        return
    elif path.is_file():
        image = archive_image(path, Path(tempfile.mkdtemp(prefix="old-", dir=scratch)))
    else:
        image = _referenced(text, connect, scratch)
    with image_before(image) as before:
        yield before


def _image_of_bundle(text: str, connect: Callable[[], Registry], scratch: Path) -> str | None:
    """What names the image of a bundle's NEW, which lies where the bundle does; None if it is no
    bundle. Raises UsageError for a file, which holds no image."""
    from imagesmith.errors import BundleError
    from imagesmith.oci.blobs import BlobDir
    from imagesmith.oci.layout import Layout
    from imagesmith.oci.reference import ImageName
    from imagesmith.upgrade.bundle import open_bundle

    path = Path(text.removeprefix("oci:").partition("@sha256:")[0])
    is_layout = text.startswith("oci:") or (path / "oci-layout").is_file()
    is_file = path.suffix == ".tar" and path.is_file()
    if not (is_layout or is_file) and (path.exists() or not _is_reference(text)):
        return None
    try:
        facts = open_bundle(text, connect, BlobDir(scratch / "old")).facts
    except BundleError:
        return None
    if is_layout and Layout(path).path(facts.image).is_file():
        return f"oci:{path}@{facts.image}"
    if is_layout or is_file:
        raise UsageError(
            f"--upgrade-from {text}: a bundle holds only what changed, and {facts.name} "
            f"{facts.after} itself is not beside it",
            hint=f"Name the image of {facts.after}, whose digest is {facts.image}.",
        )
    return f"{ImageName.parse(text).repository}@{facts.image}"


def _is_reference(text: str) -> bool:
    """A bare word is more often a folder's name with a mistake than an image at Docker Hub."""
    return ":" in text.rpartition("/")[2]


def _referenced(text: str, connect: Callable[[], Registry], scratch: Path) -> StoredImage:
    from imagesmith.image.stored import registry_image
    from imagesmith.oci.blobs import BlobDir

    if not _is_reference(text):
        raise UsageError(
            f"--upgrade-from {text}: there is no such folder, archive or image",
            hint="Name OLD's release (a folder or .tar.gz), or its image: an OCI layout (oci:DIR), "
            "an archive (FILE.tar), or HOST/NAME:TAG.",
        )
    return registry_image(text, connect(), BlobDir(scratch / "old"))
