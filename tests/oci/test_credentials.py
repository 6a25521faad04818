"""Where a login is found: in the environment, in Docker's config.json, by a helper program."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from imagesmith.errors import RegistryError, UsageError
from imagesmith.oci.credentials import DockerLogins, Login, UserCredentials


def auth(pair: str) -> dict[str, str]:
    return {"auth": base64.b64encode(pair.encode()).decode()}


@pytest.fixture
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `config.json` of a user whose environment has no login."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("USERNAME", "PASSWORD", "HOST"):
        monkeypatch.delenv(f"IMAGESMITH_REGISTRY_{name}", raising=False)
    return tmp_path / "config.json"


def helper(folder: Path, name: str, script: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("reg.example", "reg.example"),
        ("reg.example", "https://reg.example"),
        ("reg.example", "http://reg.example/v2/"),
        ("reg.example:5000", "https://reg.example:5000/v1/"),
        ("docker.io", "https://index.docker.io/v1/"),
        ("docker.io", "index.docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_login_is_found_under_every_key_that_docker_writes(
    logins: Path, host: str, key: str
) -> None:
    logins.write_text(json.dumps({"auths": {"other.example": auth("x:y"), key: auth("joe:p:w")}}))
    assert DockerLogins().login(host) == Login("joe", "p:w")
    assert DockerLogins().login("third.example") is None


def test_of_two_keys_the_exact_one_is_taken(logins: Path) -> None:
    kept = {"https://reg.example/v1/": auth("old:1"), "reg.example": auth("new:2")}
    logins.write_text(json.dumps({"auths": kept}))
    assert DockerLogins().login("reg.example") == Login("new", "2")


def test_an_identity_token_is_found_beside_the_name(logins: Path) -> None:
    entry = {**auth("00000000-0000-0000-0000-000000000000:"), "identitytoken": "secret"}
    logins.write_text(json.dumps({"auths": {"reg.example": entry}}))
    found = DockerLogins().login("reg.example")
    assert found is not None
    assert found.identity_token == "secret"


def test_secrets_are_not_in_what_python_prints_of_a_login() -> None:
    assert "p4ss" not in repr(Login("joe", "p4ss", "p4ss"))


def test_without_the_file_nobody_is_logged_in(logins: Path) -> None:
    assert DockerLogins().login("reg.example") is None
    logins.write_text("{}")
    assert DockerLogins().login("reg.example") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "this is not JSON"),
        ('{"auths": [1]}', "auths: should be a JSON object"),
        ('{"auths": {"reg.example": 1}}', "reg.example: should be a JSON object"),
        ('{"auths": {"reg.example": {"auth": "§"}}}', "no base64 of USER:PASSWORD"),
    ],
)
def test_a_damaged_file_is_named(logins: Path, text: str, words: str) -> None:
    logins.write_text(text)
    with pytest.raises(RegistryError, match=words) as raised:
        DockerLogins().login("reg.example")
    assert str(logins) in raised.value.message


SAYS = """read host; echo "$host" >> "$0.asked"
echo '{"ServerURL": "x", "Username": "joe", "Secret": "s"}'"""


def test_a_hosts_own_helper_goes_before_the_store_of_all(logins: Path, tmp_path: Path) -> None:
    helper(tmp_path, "mine", SAYS)
    helper(tmp_path, "all", SAYS.replace("joe", "<token>"))
    config = {"credsStore": "all", "credHelpers": {"reg.example": "mine"}}
    logins.write_text(json.dumps(config))
    assert DockerLogins().login("reg.example") == Login("joe", "s")
    assert DockerLogins().login("other.example") == Login("", identity_token="s")
    assert DockerLogins().login("docker.io") == Login("", identity_token="s")
    asked = (tmp_path / "docker-credential-all.asked").read_text().split()
    assert asked == ["other.example", "https://index.docker.io/v1/"]


def test_what_a_helper_does_not_know_may_be_in_the_file(logins: Path, tmp_path: Path) -> None:
    helper(tmp_path, "none", "echo 'credentials not found in native keychain'; exit 1")
    config = {"credsStore": "none", "auths": {"a.example": {}, "b.example": auth("joe:p")}}
    logins.write_text(json.dumps(config))
    assert DockerLogins().login("a.example") is None
    assert DockerLogins().login("b.example") == Login("joe", "p")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "is not on PATH"),
        ("echo 'the keychain is locked' >&2; exit 3", "failed: the keychain is locked"),
        ("exit 1", "failed: it said nothing"),
        ("echo nonsense", "no JSON object"),
    ],
)
def test_a_helper_that_fails_is_named_with_its_words(
    logins: Path, tmp_path: Path, script: str | None, words: str
) -> None:
    if script:
        helper(tmp_path, "bad", script)
    logins.write_text('{"credsStore": "bad"}')
    with pytest.raises(RegistryError, match=words) as raised:
        DockerLogins().login("reg.example")
    assert raised.value.message.startswith("docker-credential-bad (which ")
    assert "for reg.example" in raised.value.message


def test_the_environments_login_is_for_the_hosts_that_are_pushed_to(
    logins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins.write_text(json.dumps({"auths": {"base.example": auth("kept:1")}}))
    monkeypatch.setenv("IMAGESMITH_REGISTRY_USERNAME", "ci")
    monkeypatch.setenv("IMAGESMITH_REGISTRY_PASSWORD", "secret")
    user = UserCredentials({"reg.example"})
    assert user.login("reg.example") == Login("ci", "secret")
    assert user.login("base.example") == Login("kept", "1")
    assert user.login("third.example") is None
    monkeypatch.setenv("IMAGESMITH_REGISTRY_HOST", "third.example")
    user = UserCredentials({"reg.example"})
    assert user.login("third.example") == Login("ci", "secret")
    assert user.login("reg.example") is None


def test_half_a_login_in_the_environment_is_a_mistake(
    logins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGESMITH_REGISTRY_USERNAME", "ci")
    with pytest.raises(UsageError, match="IMAGESMITH_REGISTRY_PASSWORD is not set"):
        UserCredentials({"reg.example"}).login("reg.example")
