"""One repository of a registry: its manifests and blobs (OCI distribution-spec 1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from imagesmith.errors import BaseError, RegistryError
from imagesmith.oci.authorization import pull, push
from imagesmith.oci.blob import Source
from imagesmith.oci.call import Answer, Call
from imagesmith.oci.download import download
from imagesmith.oci.host import MAX_ANSWER_BYTES, Host
from imagesmith.oci.spec import Descriptor, MediaType, digest_of, parse
from imagesmith.oci.upload import Upload

__all__ = ["How", "Repository"]

MANIFESTS = (
    MediaType.MANIFEST,
    MediaType.INDEX,
    MediaType.DOCKER_MANIFEST,
    MediaType.DOCKER_INDEX,
)
ACCEPT = {"Accept": ", ".join((*MANIFESTS, "*/*;q=0.1"))}


class How(StrEnum):
    """How a blob came to be in a repository."""

    PRESENT = "present"
    MOUNTED = "mounted"
    UPLOADED = "uploaded"


class Repository:
    """A repository, `HOST/NAME`."""

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name

    def __str__(self) -> str:
        return f"{self.host.name}/{self.name}"

    def manifest(self, wanted: str) -> tuple[Descriptor, bytes]:
        """The manifest or index of a tag or digest, at most 4 MiB.

        Raises RegistryError; its `status` is 404 if there is none.
        """
        answer = self._host_ask("GET", wanted, ok=(200,))
        document, place = answer.body, f"{self}: manifest {wanted}"
        told = answer.headers.get("Docker-Content-Digest", "")
        for digest in (wanted, told):
            if digest.startswith("sha256:") and digest_of(document) != digest:
                raise RegistryError(f"{place}: what came is damaged: {digest_of(document)}")
        return Descriptor.of(_media_type(answer, place), document), document

    def find(self, wanted: str) -> tuple[Descriptor, bytes] | None:
        """As `manifest`; None if there is none."""
        try:
            return self.manifest(wanted)
        except RegistryError as error:
            if error.status == 404:
                return None
            raise

    def has(self, descriptor: Descriptor, *, pushing: bool = False) -> bool:
        """Whether the blob is there; one of another size is not. `pushing`: it will be, if not.

        A registry may refuse to be read and still be written to, so it is asked as a writer.
        """
        call = Call(
            "HEAD",
            f"/v2/{self.name}/blobs/{descriptor.digest}",
            f"{self.name}: blob {descriptor.digest}",
            (push(self.name) if pushing else pull(self.name),),
            ok=(200, 404),
        )
        answer = self.host.ask(call)
        told = answer.headers.get("Content-Length", "")
        return answer.status == 200 and told in {"", "0", str(descriptor.size)}

    def chunks(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob's bytes. Raises RegistryError, at their end if they are not the right ones."""
        return download(self.host, self.name, descriptor, (pull(self.name),))

    def read(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob's bytes, or a manifest's. Raises as `chunks` and `manifest`."""
        if descriptor.media_type in MANIFESTS:
            return iter([self.manifest(descriptor.digest)[1]])
        return self.chunks(descriptor)

    def document(self, descriptor: Descriptor) -> bytes:
        """A manifest or a small blob, at most 4 MiB. Raises as `read`."""
        if descriptor.size > MAX_ANSWER_BYTES:
            raise RegistryError(f"{self}: {descriptor.digest} is too large for a document")
        return b"".join(self.read(descriptor))

    def push_blob(self, source: Source) -> How:
        """Bring a blob in, unless it is there. Raises RegistryError, and what the source raises."""
        return How.PRESENT if self.has(source.descriptor, pushing=True) else self.send_blob(source)

    def send_blob(self, source: Source) -> How:
        """Bring a blob in that is not there: from another repository of this registry, if that can
        be; only else is the source opened."""
        session = None
        for holder in source.holders:
            host, _, name = holder.partition("/")
            if host != self.host.name or name == self.name:
                continue
            answer = self._mount(source.descriptor, name)
            if answer is not None and answer.status == 201:
                return How.MOUNTED
            session = answer or session
        Upload(self.host, self.name, source, session).run()
        return How.UPLOADED

    def push_manifest(self, document: bytes, media_type: str, tags: Iterable[str] = ()) -> Answer:
        """Put a manifest under its digest, and then under each tag; returns the first answer."""
        digest = digest_of(document)
        first = self._put(document, media_type, digest)
        for tag in tags:
            self.tag(document, media_type, tag)
        return first

    def tag(self, document: bytes, media_type: str, tag: str) -> None:
        """Put a manifest under a tag, unless it stands there: a tag may be one that is final."""
        digest = digest_of(document)
        if self._tagged(tag) == digest:
            return
        self._put(document, media_type, tag)
        # What stands between may say 201 by itself; what has copies may take a while to know.
        for failures in range(1, self.host.patience.tries + 1):
            found = self._tagged(tag)
            if found in {digest, ""}:
                return
            self.host.wait(failures)
        raise RegistryError(
            f"{self}: manifest {tag}: the registry took it, but has {found or 'none'} there"
        )

    def _tagged(self, tag: str) -> str | None:
        """The digest that a tag stands for, empty if the registry does not say; None if none."""
        answer = self._host_ask("HEAD", tag, ok=(200, 404), pushing=True)
        if answer.status == 404:
            return None
        return str(answer.headers.get("Docker-Content-Digest", ""))

    def _put(self, document: bytes, media_type: str, reference: str) -> Answer:
        call = Call(
            "PUT",
            f"/v2/{self.name}/manifests/{reference}",
            f"{self.name}: manifest {reference}",
            (push(self.name),),
            {"Content-Type": media_type},
            body=document,
            ok=(200, 201),
        )
        answer = self.host.ask(call)
        told = answer.headers.get("Docker-Content-Digest", "")
        if told.startswith("sha256:") and told != digest_of(document):
            raise RegistryError(f"{self}: manifest {reference}: the registry has kept {told}")
        return answer

    def _mount(self, descriptor: Descriptor, name: str) -> Answer | None:
        """Ask for a mount: 201 it is done, 202 an upload instead; None for a refusal."""
        call = Call(
            "POST",
            f"/v2/{self.name}/blobs/uploads/",
            f"{self.name}: mount of {descriptor.digest} from {name}",
            (push(self.name), pull(name)),
            query=(("mount", descriptor.digest), ("from", name)),
            ok=(201, 202),
        )
        try:
            return self.host.ask(call)
        except RegistryError as error:
            # Not allowed to read the other one, or no mounts at all: then it is uploaded.
            if error.status is not None and 400 <= error.status < 500:
                return None
            raise

    def _host_ask(
        self, method: str, wanted: str, *, ok: Sequence[int], pushing: bool = False
    ) -> Answer:
        call = Call(
            method,
            f"/v2/{self.name}/manifests/{wanted}",
            f"{self.name}: manifest {wanted}",
            (push(self.name) if pushing else pull(self.name),),
            ACCEPT,
            ok=ok,
        )
        return self.host.ask(call)


def _media_type(answer: Answer, place: str) -> str:
    """What the answer is. A document that says two things could be read in two ways (OCI image-spec
    1.0.2, GHSA-77vh-xpmg-72qh). Raises RegistryError for that, and for no JSON."""
    sent = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        said = parse(answer.body, place).get("mediaType")
    except BaseError as error:
        raise RegistryError(error.message) from None
    if said is None:
        return sent
    if sent in MANIFESTS and said != sent:
        raise RegistryError(f"{place}: sent as {sent}, but it calls itself {said}")
    return str(said)
