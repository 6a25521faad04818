"""A base that lies in an OCI layout on this machine: `base: oci:DIR[@DIGEST]`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imagesmith.base.base import Base
from imagesmith.base.manifest import BASE_DIGEST, BASE_NAME, Shelf, choose_image, image_of
from imagesmith.oci.layout import CONTAINERD_NAME, Layout
from imagesmith.oci.spec import Platform

__all__ = ["layout_base"]


def layout_base(path: Path, digest: str | None, platform: Platform) -> Base:
    """The image in a layout. Raises BaseError if it is broken or for another platform.

    It is named as the layout names it by a full reference, if it does. A folder's name is none
    (OCI "Annotations", `image.base.name`).
    """
    layout = Layout(path)
    shelf = Shelf(str(path), layout.document, layout.open, "oci:DIR")
    chosen = choose_image(shelf, layout.manifests, digest, platform)
    name = chosen.annotations.get(CONTAINERD_NAME)
    return replace(
        image_of(shelf, chosen, platform),
        description=f"{chosen.digest} from {path}",
        annotations={BASE_DIGEST: chosen.digest} | ({BASE_NAME: name} if name else {}),
    )
