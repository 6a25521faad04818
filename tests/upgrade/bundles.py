"""Bundles made of nothing but files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from imagesmith.layer.gzip import write_gzip
from imagesmith.layer.member import Content, FileMember
from imagesmith.layer.tar import tar
from imagesmith.oci.blob import Source
from imagesmith.oci.spec import Descriptor, MediaType
from imagesmith.plan.change import Change
from imagesmith.upgrade.bundle import Bundle, make_bundle
from imagesmith.upgrade.facts import BundleFile, BundleLink, Facts

__all__ = ["FACTS", "bundle", "layer"]

RELUP = b'{"2", [{"1", [], [point_of_no_return]}], [{"1", [], [point_of_no_return]}]}.\n'
FACTS = Facts(
    name="shop",
    tool="mix",
    erts="13.1.5",
    before="1",
    after="2",
    before_digest="a" * 64,
    after_digest="b" * 64,
    changes=(Change("own", "1.0.0", "2.0.0"), Change("come", None, "1"), Change("gone", "1", None)),
    files=(),
    links=(BundleLink("lib/own-2.0.0/priv/nif.so", "/app/lib/own/priv/nif.so"),),
    volume="/upgrades",
    image=f"sha256:{'c' * 64}",
    size=0,
    layers=(),
)


def layer(files: Mapping[str, bytes]) -> tuple[str, Source]:
    """A layer's diff ID, and its blob."""
    packed = io.BytesIO()
    members = [FileMember(path, Content.of_bytes(data)) for path, data in files.items()]
    diff_id, digest, size = write_gzip(tar(members), packed)
    blob = Descriptor(MediaType.LAYER_GZIP, f"sha256:{digest}", size)
    return f"sha256:{diff_id}", Source(blob, partial(io.BytesIO, packed.getvalue()))


def bundle() -> Bundle:
    """Two layers, of which one holds more than the bundle wants."""
    cattle = {"app/lib/own/ebin/a.beam": b"code" * 999, "app/lib/other/ebin/b.beam": b"other"}
    upgrade = {"releases/2/relup": RELUP, "releases/2/bin/shop": b"#!/bin/sh\n"}
    held = [layer(cattle), layer(upgrade)]
    wanted = {
        "lib/own-2.0.0/ebin/a.beam": (0, "app/lib/own/ebin/a.beam", cattle),
        "releases/2/bin/shop": (1, "releases/2/bin/shop", upgrade),
        "releases/2/relup": (1, "releases/2/relup", upgrade),
    }
    files = tuple(
        BundleFile(
            path, Content.of_bytes(of[member]).sha256, "bin" in path, held[number][0], member
        )
        for path, (number, member, of) in wanted.items()
    )
    layers = tuple(diff_id for diff_id, _ in held)
    facts = replace(FACTS, files=files, layers=layers)
    return make_bundle(facts, [source for _, source in held])
