"""`imagesmith build --push` by the real command, at registries that we did not write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.registries.conftest import Smith
from tests.registries.oracles import crane, docker_config, login
from tests.registries.proxy import proxy
from tests.registries.servers import (
    PASSWORD,
    USER,
    Authority,
    crane_registry,
    docker_registry,
    password_file,
)
from tests.registries.token_server import REFRESH_TOKEN, TokenServer
from tests.shop import Shop

pytestmark = pytest.mark.oracle

PUSH = ("--engine", "embedded", "--push")
Done = subprocess.CompletedProcess[str]


def arrived(done: Done, reference: str, **env: str) -> None:
    """Holds the command to have done its work, and the registry to have what it printed."""
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()[-1]
    assert printed.startswith(reference.rpartition(":")[0]), printed
    assert crane("digest", reference, **env).strip() == printed.rpartition("@")[2]
    crane("validate", "--remote", reference, **env)


def failed(done: Done, *words: str) -> None:
    """Holds the command to have said in a sentence what failed, and a way out below it."""
    assert done.returncode == 1, done.stderr
    error = [line for line in done.stderr.splitlines() if line.startswith("imagesmith: ")][-1]
    for word in words:
        assert word in error
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr
    assert not done.stdout.strip()


@pytest.mark.release
def test_a_phoenix_sized_release_arrives_in_both_registries(
    shop: Shop, smith: Smith, plain: str, tmp_path: Path
) -> None:
    with crane_registry(tmp_path / "crane") as other:
        for host in (plain, other):
            reference = f"{host}/team/shop:0.1.0"
            arrived(smith("build", shop.web, *PUSH, "-t", reference), reference)


def test_the_output_and_the_option_are_one(smith: Smith, release: Path, plain: str) -> None:
    first = smith("build", release, *PUSH, "-t", f"{plain}/shop:1")
    second = smith(
        "build", release, "--engine", "embedded", "-o", "type=registry", "-t", f"{plain}/shop:2"
    )
    arrived(first, f"{plain}/shop:1")
    arrived(second, f"{plain}/shop:2")
    assert sorted(crane("ls", f"{plain}/shop").split()) == ["1", "2"]


def test_a_password_is_read_where_docker_keeps_it(
    smith: Smith, release: Path, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=password_file(tmp_path)) as host:
        account = login(tmp_path / "docker", host)
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1", DOCKER_CONFIG=account)
        arrived(done, f"{host}/shop:1", DOCKER_CONFIG=account)


def test_a_password_may_be_in_the_environment(smith: Smith, release: Path, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", auth=password_file(tmp_path)) as host:
        done = smith(
            "build",
            release,
            *PUSH,
            "-t",
            f"{host}/shop:1",
            IMAGESMITH_REGISTRY_USERNAME=USER,
            IMAGESMITH_REGISTRY_PASSWORD=PASSWORD,
        )
        arrived(done, f"{host}/shop:1", DOCKER_CONFIG=login(tmp_path / "docker", host))


@pytest.mark.parametrize("password", ["wrong", None])
def test_without_the_right_password_it_says_so(
    password: str | None, smith: Smith, release: Path, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=password_file(tmp_path)) as host:
        account = login(tmp_path / "docker", host, password=password) if password else "nowhere"
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1", DOCKER_CONFIG=account)
        failed(done, host)
        assert "login" in done.stderr
        assert "wrong" not in done.stderr.replace("wrong user", "")
        assert not (tmp_path / "registry/data").exists()


HELPER = """\
#!/bin/sh
set -eu
test "$1" = get
read -r host || true
echo "$host" >> "$0.asked"
test "$host" = "{host}" || {{ echo "credentials not found in native keychain"; exit 1; }}
printf '%s' '{{"ServerURL": "{host}", "Username": "{user}", "Secret": "{password}"}}'
"""


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_a_credential_helper_is_asked(
    key: str, smith: Smith, release: Path, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=password_file(tmp_path)) as host:
        helper = tmp_path / "bin/docker-credential-of-the-test"
        helper.parent.mkdir()
        helper.write_text(HELPER.format(host=host, user=USER, password=PASSWORD))
        helper.chmod(0o755)
        name = "of-the-test"
        config: dict[str, object] = {key: {host: name} if key == "credHelpers" else name}
        env = {
            "DOCKER_CONFIG": docker_config(tmp_path / "docker", config),
            "PATH": f"{helper.parent}:{os.environ['PATH']}",
        }
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1", **env)
        assert helper.with_name(f"{helper.name}.asked").read_text().split() == [host]
        arrived(done, f"{host}/shop:1", DOCKER_CONFIG=login(tmp_path / "crane", host))

        missing = env | {"PATH": os.environ["PATH"]}
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:2", **missing)
        failed(done, "docker-credential-of-the-test", "PATH")


def test_one_token_serves_a_whole_push(
    smith: Smith, release: Path, tokens: TokenServer, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host:
        account = login(tmp_path / "docker", host)
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1", DOCKER_CONFIG=account)
        asked = [*tokens.asked]
        arrived(done, f"{host}/shop:1", DOCKER_CONFIG=account)
        assert len(asked) == len({item.scopes for item in asked}) <= 2
        assert {item.user for item in asked} == {USER}
        assert {scope for item in asked for scope in item.granted} >= {"repository:shop:pull,push"}


def test_an_identity_token_is_posted(
    smith: Smith, release: Path, tokens: TokenServer, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host:
        account = docker_config(
            tmp_path / "docker", {"auths": {host: {"identitytoken": REFRESH_TOKEN}}}
        )
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1", DOCKER_CONFIG=account)
        assert {item.method for item in tokens.asked} == {"POST"}
        arrived(done, f"{host}/shop:1")


def test_a_repository_that_is_denied_is_named(
    smith: Smith, release: Path, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.denied = frozenset({"secret/shop"})
    with docker_registry(tmp_path / "registry", auth=tokens.auth) as host:
        account = login(tmp_path / "docker", host)
        done = smith("build", release, *PUSH, "-t", f"{host}/secret/shop:1", DOCKER_CONFIG=account)
        failed(done, host, "secret/shop", "401")
        assert len(tokens.asked) <= 4  # to ask for ever gives no other answer


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_private_authority_is_trusted_when_told(
    variable: str, smith: Smith, release: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with docker_registry(tmp_path / "registry", tls=authority.tls("127.0.0.1")) as host:
        trust = {variable: str(authority.file)}
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1", **trust)
        arrived(done, f"{host}/shop:1", SSL_CERT_FILE=str(authority.file))


def test_an_authority_that_nobody_knows_is_told(
    smith: Smith, release: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with docker_registry(tmp_path / "registry", tls=authority.tls("127.0.0.1")) as host:
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1")
        failed(done, host, "certificate")
        assert "SSL_CERT_FILE" in done.stderr


def test_a_certificate_for_another_name_is_refused(
    smith: Smith, release: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with docker_registry(tmp_path / "registry", tls=authority.tls("shop.example")) as host:
        trust = {"SSL_CERT_FILE": str(authority.file)}
        done = smith("build", release, *PUSH, "-t", f"{host}/shop:1", **trust)
        failed(done, host, "certificate")


def test_nobody_listens(smith: Smith, release: Path, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry") as host:
        pass
    failed(smith("build", release, *PUSH, "-t", f"{host}/shop:1"), host)


def test_a_second_push_of_the_same_sends_nothing(smith: Smith, release: Path, plain: str) -> None:
    with proxy(plain) as passing:
        reference = f"{passing.host}/shop:1"
        arrived(smith("build", release, *PUSH, "-t", reference), reference)
        passing.passed.clear()
        arrived(smith("build", release, *PUSH, "-t", reference), reference)
        assert not passing.requests("POST|PATCH") and not passing.requests("PUT", "/blobs/")


def test_another_repository_of_the_registry_mounts(smith: Smith, release: Path, plain: str) -> None:
    with proxy(plain) as passing:
        one, two = f"{passing.host}/shop:1", f"{passing.host}/team/shop:1"
        done = smith("build", release, *PUSH, "-t", one, "-t", two)
        arrived(done, one)
        crane("validate", "--remote", two)
        puts = passing.requests("PUT", "/blobs/")
        put = [digest for item in puts for digest in item.query["digest"]]
        assert len(put) == len({*put})
        mounted = [
            item
            for item in passing.requests("POST", "/v2/team/shop/")
            if "mount" in item.query and item.status == 201
        ]
        assert len(mounted) == len(put)


NETWORK = """\
set -eu
ip link set lo up
ip address add 203.0.113.7/32 dev lo
crane registry serve --address 203.0.113.7:5000 2>registry.log &
registry=$!
trap 'kill $registry' EXIT
for _ in $(seq 100); do
  ! grep -q 'serving on' registry.log || break
  sleep 0.1
done
"$@"
"""


def test_plain_http_beyond_the_loopback_has_to_be_allowed(
    release: Path, smith_environment: dict[str, str], tmp_path: Path
) -> None:
    def smith(*more: str) -> Done:
        """The command on a network of its own, where the only registry speaks plain http."""
        command = [sys.executable, "-m", "imagesmith", "build", str(release), *PUSH, *more]
        apart = ["unshare", "--net", "--map-root-user", "sh", "-c", NETWORK, "sh"]
        return subprocess.run(
            [*apart, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env=smith_environment,
        )

    there = "203.0.113.7:5000"
    refused = smith("-t", f"{there}/shop:1")
    failed(refused, there, "TLS")
    assert "--insecure-registry" in refused.stderr
    log = (tmp_path / "registry.log").read_text()
    assert "/v2/" not in log  # nothing was said without TLS
    done = smith("-t", f"{there}/shop:1", "--insecure-registry", there)
    assert done.returncode == 0, done.stderr
    assert "PUT /v2/shop/manifests/1" in (tmp_path / "registry.log").read_text()
