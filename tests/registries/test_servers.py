"""The servers of these tests are what they claim to be: crane, which knows us not, says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.image.image import Image
from imagesmith.oci.layout import write_layout
from tests.oci.images import tagged
from tests.registries.oracles import crane, docker_config, is_whole, login, run
from tests.registries.proxy import (
    Answer,
    Change,
    CutResponse,
    Forget,
    proxy,
)
from tests.registries.servers import Authority, crane_registry, docker_registry, password_file
from tests.registries.token_server import REFRESH_TOKEN, TokenServer

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def layout(image: Image, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("image") / "oci"
    write_layout(folder, list(image.blobs()), [tagged(image, "1")])
    return str(folder)


def test_crane_pushes_to_both_registries(
    image: Image, layout: str, plain: str, tmp_path: Path
) -> None:
    with crane_registry(tmp_path / "crane") as other:
        for host in (plain, other):
            crane("push", layout, f"{host}/shop:1")
            is_whole(f"{host}/shop:1", image)


def test_the_password_is_asked_for(image: Image, layout: str, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", auth=password_file(tmp_path)) as host:
        right, wrong = login(tmp_path / "right", host), login(tmp_path / "wrong", host, "joe", "x")
        refused = run("crane", "push", layout, f"{host}/shop:1", DOCKER_CONFIG=wrong)
        assert "401" in refused.stderr
        crane("push", layout, f"{host}/shop:1", DOCKER_CONFIG=right)
        is_whole(f"{host}/shop:1", image, DOCKER_CONFIG=right)


def test_the_certificate_is_of_an_authority_that_nobody_knows(layout: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with docker_registry(tmp_path / "registry", tls=authority.tls("127.0.0.1")) as host:
        refused = run("crane", "push", layout, f"{host}/shop:1")
        assert "unknown authority" in refused.stderr
        crane("push", layout, f"{host}/shop:1", SSL_CERT_FILE=str(authority.file))


def test_tokens_are_asked_for_and_taken(
    image: Image, layout: str, tokens: TokenServer, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host:
        account = login(tmp_path / "docker", host)
        crane("push", layout, f"{host}/shop:1", DOCKER_CONFIG=account)
        is_whole(f"{host}/shop:1", image)  # anybody may pull
        assert {item.user for item in tokens.asked} == {"joe", None}
        tokens.denied = frozenset({"secret"})
        denied = run("crane", "push", layout, f"{host}/secret:1", DOCKER_CONFIG=account)
        assert denied.returncode != 0
        refreshed = docker_config(
            tmp_path / "refresh", {"auths": {host: {"identitytoken": REFRESH_TOKEN}}}
        )
        tokens.asked.clear()
        crane("push", layout, f"{host}/other:1", DOCKER_CONFIG=refreshed)
        assert {item.method for item in tokens.asked} == {"POST"}


def test_the_proxy_passes_everything_on(image: Image, layout: str, plain: str) -> None:
    with proxy(plain) as passing:
        crane("push", layout, f"{passing.host}/shop:1")
        is_whole(f"{passing.host}/shop:1", image)
        assert passing.sent == sum(source.descriptor.size for source in image.blobs())
        assert {item.method for item in passing.passed} >= {"HEAD", "POST", "PATCH", "PUT", "GET"}


@pytest.mark.parametrize(
    ("fault", "method", "says"),
    [
        (Answer(403), "POST", "403 Forbidden"),
        (CutResponse(3), "GET", "EOF"),
        (Change(body=lambda body: body[:-1] + b"\0"), "GET", "invalid"),
    ],
    ids=["answers", "cuts the answer", "lies"],
)
def test_the_proxy_does_harm(
    fault: Answer | CutResponse | Change,
    method: str,
    says: str,
    layout: str,
    plain: str,
) -> None:
    with proxy(plain) as passing:
        if method == "GET":
            crane("push", layout, f"{plain}/shop:1")
        passing.fail(fault, method, times=99)
        verb = ["validate", "--remote"] if method == "GET" else ["push", layout]
        done = run("crane", *verb, f"{passing.host}/shop:1")
        assert done.returncode != 0
        assert says in done.stderr


def test_the_proxy_makes_a_mount_an_upload(layout: str, plain: str) -> None:
    with proxy(plain) as passing:
        passing.fail(Forget(frozenset({"mount", "from"})), "POST", times=99)
        crane("push", layout, f"{passing.host}/shop:1")
        crane("copy", f"{passing.host}/shop:1", f"{passing.host}/other:1")
        mounts = [item for item in passing.requests("POST") if "mount" in item.query]
        assert mounts and {item.status for item in mounts} == {202}
