"""`--append-to`: whether the image can go on top of an earlier one, and what that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from imagesmith.base.remote import fetched
from imagesmith.cli.deliver import filled_in
from imagesmith.errors import RegistryError
from imagesmith.image.append import PLAIN, Earlier, append_plan, on_top, stands_on
from imagesmith.image.cattle import ROOT
from imagesmith.image.earlier import push_list, read_earlier
from imagesmith.image.filelist import FileList, list_members
from imagesmith.layer.build import build_layer
from imagesmith.oci.reference import Reference

if TYPE_CHECKING:
    from imagesmith.base.base import Base
    from imagesmith.cli.progress import Progress
    from imagesmith.engine.engine import Delivery
    from imagesmith.layer.layer import Layer
    from imagesmith.layer.split import LayerPlan
    from imagesmith.layer.store import Store
    from imagesmith.oci.blob import BlobStore
    from imagesmith.oci.registry import Registry
    from imagesmith.oci.repository import Repository
    from imagesmith.oci.spec import Descriptor

__all__ = ["Appends"]


class Appends:
    """The way of a build's images onto earlier ones.

    `reference` names the earlier image, with {release} and {version} to be filled in; `pushes`
    tells whether the images go to registries.
    """

    def __init__(
        self,
        reference: str,
        connect: Callable[[], Registry],
        blobs: BlobStore,
        telling: Progress,
        *,
        pushes: bool,
    ) -> None:
        self._reference = reference
        self._connect = connect
        self._blobs = blobs
        self._telling = telling
        self._pushes = pushes
        self._in_full: dict[str, FileList] = {}

    def layers(
        self, name: str, version: str, plans: Sequence[LayerPlan], base: Base, store: Store
    ) -> tuple[Base, tuple[Layer, ...]] | None:
        """The base and layers of the earlier image of this name, with one more on top.

        None where the image has to be built in full. Raises RegistryError, and as `build_layer`.
        """
        members = [member for plan in plans for member in plan.members]
        reference = filled_in(self._reference, name, version)
        earlier = read_earlier(
            self._connect(), reference, base.platform, ROOT, self._fetch, keep=self._pushes
        )
        problem = _problem(earlier, base)
        if earlier is None or problem:
            self._telling.note(f"--append-to {reference}: {problem}; built in full")
            self._in_full[name] = list_members(members)
            return None
        if earlier.is_high:
            self._telling.warn(
                f"{reference} has {earlier.appended} appended layers: a build without --append-to "
                "is due, it ships less to new hosts"
            )
        plan = append_plan(earlier.files, members, ROOT)
        below, layers = on_top(base, earlier)
        annotations = {**below.annotations, PLAIN: earlier.plain}
        more = (build_layer(plan, store),) if plan else ()
        return replace(below, annotations=annotations), (*layers, *more)

    def keep_lists(self, deliveries: Sequence[Delivery]) -> None:
        """Put the list of files beside each image that was built in full, in its registries.

        It spares the next build some work, no more, so a registry may refuse it.
        """
        for item in deliveries:
            files = self._in_full.get(item.image.name)
            repositories = {Reference.parse(tag).repository for tag in item.tags if files}
            for repository in sorted(repositories):
                try:
                    push_list(
                        self._connect().repository(repository), item.image.descriptor, files or {}
                    )
                except RegistryError as error:
                    self._telling.warn(f"the list of files was not kept: {error.message}")

    def _fetch(self, repository: Repository, descriptor: Descriptor) -> BinaryIO:
        return fetched(repository, self._blobs, descriptor)


def _problem(earlier: Earlier | None, base: Base) -> str:
    if earlier is None:
        return "there is no such image yet"
    if earlier.is_full:
        return f"it has {len(earlier.layers)} layers already"
    return "" if stands_on(earlier, base) else "it stands on another base"
