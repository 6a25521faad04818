"""One fault at a time: what the client makes of it, and what it sends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from imagesmith.errors import RegistryError
from imagesmith.image.image import Image
from imagesmith.oci.blob import Source
from imagesmith.oci.credentials import Login
from imagesmith.oci.push import PushedBlobs
from imagesmith.oci.repository import How
from imagesmith.oci.spec import Descriptor, MediaType
from tests.oci.images import make, source
from tests.registries.oracles import is_whole
from tests.registries.proxy import (
    Answer,
    Change,
    CutRequest,
    CutResponse,
    Fault,
    Forget,
    Proxy,
    Stall,
    proxy,
)
from tests.registries.pushes import noise, push, registry_client
from tests.registries.servers import PASSWORD, USER, docker_registry, password_file
from tests.registries.token_server import TokenServer

pytestmark = pytest.mark.oracle

MEGABYTE = 1 << 20
WRONG_DIGEST = Change(headers={"Docker-Content-Digest": f"sha256:{'0' * 64}"})


class Joe:
    """Credentials of the one user, for any host; the hosts are written down."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def login(self, host: str) -> Login:
        self.asked.append(host)
        return Login(USER, PASSWORD)


@pytest.fixture
def passing(plain: str) -> Iterator[Proxy]:
    with proxy(plain) as running:
        yield running


@pytest.fixture(scope="module")
def blob() -> Source:
    """Ten megabytes, which go over in three chunks."""
    return source(random.Random(1).randbytes(10 * MEGABYTE))


@pytest.fixture(scope="module")
def large() -> Image:
    return make("small", noise(2, 6 * MEGABYTE))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Stall(), "stalled"),
        (CutRequest(0), "closed"),
        (Answer(503, {"Retry-After": "0"}), "503"),
        (Answer(429, {"Retry-After": "0"}), "429"),
        (Answer(500), "500"),
    ],
    ids=["stall", "cut", "503", "429", "500"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2/$"), ("HEAD", "/blobs/"), ("POST", "/uploads/"), ("PUT", "/manifests/sha256")],
    ids=["greeting", "question", "upload", "manifest"],
)
def test_a_fault_that_passes_is_sat_out_and_one_that_stays_is_told(
    fault: Fault, words: str, method: str, path: str, passing: Proxy, image: Image
) -> None:
    passing.fail(fault, method, path, times=2)
    push(image, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", image)

    passing.fail(fault, method, path, times=100)
    with pytest.raises(RegistryError) as caught:
        push(image, f"{passing.host}/other:1")
    assert caught.value.message.startswith(f"{passing.host}: {method} ")
    assert words in caught.value.message
    assert "3 times" in caught.value.message


def test_an_answer_that_will_not_change_is_not_asked_for_again(
    passing: Proxy, image: Image
) -> None:
    passing.fail(Answer(403, {}, b'{"errors":[{"code":"DENIED","message":"go away"}]}'), "POST")
    with pytest.raises(RegistryError, match="go away") as caught:
        push(image, f"{passing.host}/shop:1")
    assert caught.value.status == 403
    assert passing.host in caught.value.message


@pytest.mark.parametrize("after", [1, MEGABYTE])
@pytest.mark.parametrize("chunk", [0, 1])
def test_an_upload_that_is_cut_arrives(
    chunk: int, after: int, passing: Proxy, large: Image
) -> None:
    passing.fail(CutRequest(after), "PATCH", skip=chunk)
    push(large, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", large)


def test_a_chunk_that_was_not_taken_is_the_only_one_to_be_sent_again(
    passing: Proxy, large: Image
) -> None:
    passing.fail(Answer(503, {"Retry-After": "0"}), "PATCH")
    push(large, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", large)
    assert passing.sent == _bytes(large) + len(large.manifest) + 4 * MEGABYTE


def _bytes(image: Image) -> int:
    """Those of all blobs and of the manifest."""
    return sum(source.descriptor.size for source in image.blobs())


def test_a_session_that_the_registry_has_lost_is_begun_anew(passing: Proxy, large: Image) -> None:
    passing.fail(Answer(404), "PATCH", skip=1)
    push(large, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", large)


def test_a_registry_that_takes_no_chunks_gets_one_piece(passing: Proxy, large: Image) -> None:
    passing.fail(Answer(405), "PATCH", times=100)
    push(large, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", large)


def test_an_upload_whose_answer_is_lost_is_not_sent_again(passing: Proxy, image: Image) -> None:
    # The registry has the blob; that the answer was thrown away, it cannot know.
    passing.fail(Change(headers={"Content-Length": "99"}), "PUT", "/uploads/", times=1)
    push(image, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", image)


@pytest.mark.parametrize(
    ("fault", "method"),
    [
        (Answer(201, {"Docker-Content-Digest": "{digest}"}), "PUT"),
        (Answer(200), "HEAD"),
    ],
    ids=["taken", "there"],
)
def test_a_blob_that_is_not_where_it_was_said_to_be_is_told(
    fault: Fault, method: str, passing: Proxy, image: Image
) -> None:
    passing.fail(fault, method, "/blobs/")
    with pytest.raises(RegistryError, match=f"{passing.host}: PUT shop: manifest .*BLOB_UNKNOWN"):
        push(image, f"{passing.host}/shop:1")
    push(image, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", image)


@pytest.mark.parametrize("before", [None, "old"])
def test_a_manifest_that_was_taken_and_lost_is_told(
    before: str | None, passing: Proxy, image: Image
) -> None:
    if before:
        push(make(before), f"{passing.host}/shop:1")
    passing.fail(Answer(201), "PUT", "/manifests/", times=100)
    with pytest.raises(RegistryError, match=f"{passing.host}/shop: manifest 1: .* took it"):
        push(image, f"{passing.host}/shop:1")
    passing.heal()
    push(image, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", image)


def test_a_registry_that_calls_a_manifest_otherwise_is_told(passing: Proxy, image: Image) -> None:
    passing.fail(WRONG_DIGEST, "PUT", "/manifests/", times=100)
    with pytest.raises(RegistryError, match="kept sha256:0000"):
        push(image, f"{passing.host}/shop:1")


def test_a_registry_that_calls_a_blob_otherwise_is_asked_for_it(
    passing: Proxy, image: Image
) -> None:
    passing.fail(WRONG_DIGEST, "PUT", "/blobs/", times=100)
    push(image, f"{passing.host}/shop:1")
    is_whole(f"{passing.registry}/shop:1", image)


def test_a_mount_sends_no_bytes(passing: Proxy, large: Image) -> None:
    push(large, f"{passing.host}/shop:1")
    passing.passed.clear()
    *blobs, _ = large.blobs()
    repository = registry_client().repository(f"{passing.host}/team/shop")
    held = [
        Source(item.descriptor, _not_opened, holders=(f"{passing.host}/shop",)) for item in blobs
    ]
    assert {repository.push_blob(item) for item in held} == {How.MOUNTED}
    assert passing.sent == 0
    repository.push_manifest(large.manifest, MediaType.MANIFEST, ["1"])
    is_whole(f"{passing.registry}/team/shop:1", large)


def _not_opened() -> BytesIO:
    raise AssertionError("a blob that can be mounted was opened")


def test_a_push_to_two_repositories_sends_each_blob_once(passing: Proxy, large: Image) -> None:
    done = push(large, f"{passing.host}/shop:1", f"{passing.host}/team/shop:1")
    assert (done.uploaded, done.mounted) == (3, 3)
    assert passing.sent == _bytes(large) + 3 * len(large.manifest)
    is_whole(f"{passing.registry}/team/shop:1", large)


@pytest.mark.parametrize(
    "fault",
    [Forget(frozenset({"mount", "from"})), Answer(403), Answer(404), Answer(405)],
    ids=["202", "403", "404", "405"],
)
def test_a_mount_that_is_refused_goes_on_as_an_upload(
    fault: Fault, passing: Proxy, image: Image
) -> None:
    push(image, f"{passing.host}/shop:1")
    passing.fail(fault, "POST", "mount=", times=100)
    done = push(image, f"{passing.host}/shop:1", f"{passing.host}/team/shop:1")
    assert done == PushedBlobs(present=3, uploaded=3, bytes=_bytes(image) - len(image.manifest))
    is_whole(f"{passing.registry}/team/shop:1", image)
    sessions = [item for item in passing.requests("POST") if item.status == 202]
    if isinstance(fault, Forget):
        # The session that was answered instead is the one that is used.
        mounts = [item for item in sessions if "mount" in item.query]
        assert len(sessions) - len(mounts) == 3  # those of the first push


# Downloads


@pytest.fixture
def stored(passing: Proxy, blob: Source) -> Descriptor:
    """The ten megabytes, in the repository `shop`."""
    registry_client().repository(f"{passing.registry}/shop").push_blob(blob)
    return blob.descriptor


def _pull(passing: Proxy, descriptor: Descriptor) -> bytes:
    return b"".join(registry_client().repository(f"{passing.host}/shop").chunks(descriptor))


def test_a_cut_download_goes_on_from_where_it_was(
    passing: Proxy, stored: Descriptor, blob: Source
) -> None:
    passing.fail(CutResponse(3 * MEGABYTE), "GET", "/blobs/", times=2)
    assert _pull(passing, stored) == b"".join(blob.chunks())
    ranges = [item.headers.get("Range") for item in passing.requests("GET", "/blobs/")]
    assert ranges == [None, f"bytes={3 * MEGABYTE}-", f"bytes={6 * MEGABYTE}-"]


def _flip(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Change(body=_flip), "damaged"),
        (Change(body=lambda body: body[:-1]), "bytes"),
        (Change(body=lambda body: body + b"!"), "bytes"),
        (Change(headers={"Content-Length": "7"}), "bytes"),
        (Answer(200, {}, b"<html>please log in</html>"), "bytes"),
        (CutResponse(7), "7 of|times"),
        (Stall(), "stalled"),
    ],
    ids=["bit", "short", "long", "wrong length", "portal", "cut", "stall"],
)
def test_a_blob_that_comes_wrong_is_never_taken(
    fault: Fault, words: str, passing: Proxy, stored: Descriptor
) -> None:
    passing.fail(fault, "GET", "/blobs/", times=100)
    with pytest.raises(RegistryError, match=words) as caught:
        _pull(passing, stored)
    assert caught.value.message.startswith(f"{passing.host}: GET shop: blob {stored.digest}")


@pytest.mark.parametrize(
    "fault",
    [
        Change(body=lambda body: body.replace(b"config", b"c0nfig")),
        WRONG_DIGEST,
        Answer(200, {"Content-Type": MediaType.MANIFEST}, make("another").manifest),
    ],
    ids=["changed", "told otherwise", "another image's"],
)
def test_a_manifest_that_comes_wrong_is_never_taken(
    fault: Fault, passing: Proxy, image: Image
) -> None:
    push(image, f"{passing.registry}/shop:1")
    passing.fail(fault, "GET", "/manifests/", times=100)
    repository = registry_client().repository(f"{passing.host}/shop")
    with pytest.raises(RegistryError, match="damaged"):
        repository.manifest(image.digest)


def test_where_a_download_is_sent_to_learns_no_password(
    image: Image, blob: Source, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with (
        docker_registry(tmp_path / "own", auth=password_file(tmp_path), data=data) as own,
        docker_registry(tmp_path / "storage", data=data) as storage,
        proxy(own) as passing,
        proxy(storage, "127.0.0.2") as elsewhere,
    ):
        joe = Joe()
        repository = registry_client(joe).repository(f"{passing.host}/shop")
        repository.push_blob(blob)
        at = f"/v2/shop/blobs/{blob.descriptor.digest}"
        # The storage cuts, so that the second part is asked for too.
        elsewhere.fail(CutResponse(MEGABYTE), "GET")
        passing.fail(Answer(307, {"Location": f"http://{elsewhere.host}{at}"}), "GET", at, times=9)
        assert b"".join(repository.chunks(blob.descriptor)) == b"".join(blob.chunks())
        assert len(elsewhere.passed) == 2
        for request in elsewhere.passed:
            assert "authorization" not in {name.lower() for name in request.headers}
        assert set(joe.asked) == {passing.host}


def test_where_an_upload_is_sent_to_learns_no_password(
    image: Image, plain: str, tmp_path: Path
) -> None:
    with (
        docker_registry(tmp_path / "own", auth=password_file(tmp_path)) as own,
        proxy(own) as passing,
        proxy(plain, "127.0.0.2") as elsewhere,
    ):
        away = f"http://{elsewhere.host}/v2/shop/blobs/uploads/none"
        passing.fail(Answer(202, {"Location": away}), "POST")
        push(image, f"{passing.host}/shop:1", credentials=Joe())
        assert elsewhere.passed
        for request in elsewhere.passed:
            assert "authorization" not in {name.lower() for name in request.headers}


def test_no_password_goes_to_a_token_server_without_tls(passing: Proxy, image: Image) -> None:
    realm = 'Bearer realm="http://203.0.113.9/token",service="s"'
    passing.fail(Answer(401, {"WWW-Authenticate": realm}), times=100)
    with pytest.raises(RegistryError, match=r"203\.0\.113\.9, which is not protected by TLS"):
        push(image, f"{passing.host}/shop:1", credentials=Joe())


# Tokens


def test_each_repository_has_a_token_that_is_kept(
    tokens: TokenServer, image: Image, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host:
        push(image, f"{host}/shop:1", f"{host}/other:1", credentials=Joe())
        scopes = [item.scopes for item in tokens.asked]
        assert len(scopes) == len({*scopes})
        assert ("repository:shop:pull,push",) in scopes
        assert ("repository:other:pull,push", "repository:shop:pull") in scopes
        is_whole(f"{host}/other:1", image)


def test_a_token_that_has_run_out_is_renewed(
    tokens: TokenServer, large: Image, tmp_path: Path
) -> None:
    """The server promises more than the registry keeps: only its 401 tells."""
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host, proxy(host) as passing:
        repository = registry_client(Joe()).repository(f"{passing.host}/shop")
        *blobs, _ = large.blobs()
        tokens.seconds = -5
        with pytest.raises(RegistryError, match="401"):
            repository.push_blob(blobs[0])
        assert len(tokens.asked) <= 3
        tokens.seconds = 300
        for item in blobs:
            repository.push_blob(item)
        repository.push_manifest(large.manifest, MediaType.MANIFEST, ["1"])
        is_whole(f"{host}/shop:1", large)


@pytest.mark.parametrize("chunks", [True, False])
@pytest.mark.parametrize("skip", range(3))
def test_a_token_that_runs_out_in_the_middle_of_an_upload_is_renewed(
    skip: int, chunks: bool, tokens: TokenServer, large: Image, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host, proxy(host) as passing:
        bearer = f'Bearer realm="{tokens.realm}",service="the shop\'s registry"'
        if not chunks:
            passing.fail(Answer(405), "PATCH", times=100)
        refusal = Answer(401, {"WWW-Authenticate": bearer})
        passing.fail(refusal, "PATCH|PUT", "/uploads/", skip=skip)
        push(large, f"{passing.host}/shop:1", credentials=Joe())
        is_whole(f"{host}/shop:1", large)


def test_nobody_is_asked_for_a_token_again_and_again(
    tokens: TokenServer, image: Image, tmp_path: Path
) -> None:
    tokens.denied = frozenset({"shop"})
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host:
        with pytest.raises(RegistryError, match=f"{host}: .*shop.*401"):
            push(image, f"{host}/shop:1", credentials=Joe())
        assert len(tokens.asked) <= 4
