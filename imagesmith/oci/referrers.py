"""What refers to an image: artifacts whose manifest has it as `subject`.

A registry that knows the referrers API lists them itself; for one that does not, an index under
the tag `sha256-HEX` does, and who pushes keeps it up (OCI distribution-spec 1.1, "Listing
Referrers", "Pushing Manifests with Subject", "Referrers Tag Schema").
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urljoin

from imagesmith.errors import BaseError, RegistryError
from imagesmith.oci.authorization import pull
from imagesmith.oci.blob import Source
from imagesmith.oci.call import Answer, Call
from imagesmith.oci.repository import Repository
from imagesmith.oci.spec import Descriptor, Json, MediaType, array, index, parse, to_bytes

__all__ = ["push_referrer", "referrers"]

EMPTY = to_bytes({})
"""The configuration of an artifact that needs none (OCI image-spec, "Guidance for an Empty
Descriptor")."""

MAX_PAGES = 100


def referrers(
    repository: Repository, digest: str, artifact_type: str | None = None
) -> list[Descriptor]:
    """The manifests that have this digest as their subject, of one artifact type or of all.

    Raises RegistryError.
    """
    found = _asked(repository, digest, artifact_type)
    if found is None:
        found = _tagged(repository, digest)
    return [item for item in found if artifact_type in (None, item.artifact_type)]


def push_referrer(
    repository: Repository,
    subject: Descriptor,
    artifact_type: str,
    blobs: Sequence[Source],
    annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """Push an artifact that refers to `subject`, and see that it is found from there.

    Raises RegistryError, and what the sources raise.
    """
    config = Source(Descriptor.of(MediaType.EMPTY, EMPTY), partial(io.BytesIO, EMPTY))
    for blob in (*blobs, config):
        repository.push_blob(blob)
    bare = replace(subject, annotations={}, platform=None, artifact_type=None)
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": MediaType.MANIFEST,
        "artifactType": artifact_type,
        "config": config.descriptor.to_json(),
        "layers": [blob.descriptor.to_json() for blob in blobs or [config]],
        "subject": bare.to_json(),
    }
    if annotations:
        document["annotations"] = dict(annotations)
    data = to_bytes(document)
    answer = repository.push_manifest(data, MediaType.MANIFEST)
    descriptor = replace(
        Descriptor.of(MediaType.MANIFEST, data),
        annotations=dict(annotations or {}),
        artifact_type=artifact_type,
    )
    if answer.headers.get("OCI-Subject") != subject.digest:
        held = [
            item for item in _tagged(repository, subject.digest) if item.digest != descriptor.digest
        ]
        repository.tag(index([*held, descriptor]), MediaType.INDEX, _tag(subject.digest))
    return descriptor


def _asked(
    repository: Repository, digest: str, artifact_type: str | None
) -> list[Descriptor] | None:
    """What the API says; None where there is no such API."""
    url = f"/v2/{repository.name}/referrers/{digest}"
    query = [("artifactType", artifact_type)] if artifact_type else []
    found = list[Descriptor]()
    for _ in range(MAX_PAGES):
        call = Call(
            "GET",
            url,
            f"{repository.name}: referrers of {digest}",
            (pull(repository.name),),
            {"Accept": MediaType.INDEX},
            query,
            ok=(200, 400, 404, 405),
        )
        answer = repository.host.ask(call)
        if answer.status != 200:
            return None
        found += _listed(answer.body, f"{repository}: referrers of {digest}")
        next_page = _next(answer)
        if next_page is None:
            return found
        url, query = next_page, []
    raise RegistryError(f"{repository}: referrers of {digest}: more than {MAX_PAGES} pages")


def _tagged(repository: Repository, digest: str) -> list[Descriptor]:
    found = repository.find(_tag(digest))
    return _listed(found[1], f"{repository}: {_tag(digest)}") if found else []


def _listed(document: bytes, place: str) -> list[Descriptor]:
    try:
        items = array(parse(document, place).get("manifests"), f"{place}: manifests")
        return [Descriptor.from_json(item, f"{place}: manifests") for item in items]
    except BaseError as error:
        raise RegistryError(error.message) from None


def _next(answer: Answer) -> str | None:
    """The next page: `Link: <URL>; rel="next"` (RFC 8288)."""
    link = answer.headers.get("Link", "")
    target, _, rest = link.partition(">")
    if not target.startswith("<") or 'rel="next"' not in rest:
        return None
    return urljoin(answer.url, target[1:])


def _tag(digest: str) -> str:
    return digest.replace(":", "-")
