"""Challenges as registries put them, and what is asked of a token server."""

from __future__ import annotations

import json

import pytest

from imagesmith.errors import RegistryError
from imagesmith.oci.authorization import Authorization, TokenRequest
from imagesmith.oci.credentials import Login

BEARER = 'Bearer realm="https://auth.example/token",service="reg.example"'
SCOPES = ("repository:shop:pull,push", "repository:base:pull")


class Kept:
    """One login, whatever the host."""

    def __init__(self, login: Login | None) -> None:
        self._login = login

    def login(self, host: str) -> Login | None:
        return self._login


class Server:
    """Gives tokens that are numbered."""

    def __init__(self, **fields: object) -> None:
        self.asked = list[TokenRequest]()
        self._fields = fields

    def __call__(self, request: TokenRequest) -> bytes:
        self.asked.append(request)
        return json.dumps({"token": f"t{len(self.asked)}", **self._fields}).encode()


JOE = Login("joe", "pw")


def made(challenge: str, server: Server, login: Login | None = JOE) -> Authorization:
    found = Authorization("reg.example", Kept(login), server)
    found.challenged(challenge)
    return found


@pytest.mark.parametrize(
    ("challenge", "header"),
    [
        ('Basic realm="Registry"', "Basic am9lOnB3"),
        ("basic", "Basic am9lOnB3"),
        (BEARER, "Bearer t1"),
        (f'Basic realm="a, b", {BEARER}', "Bearer t1"),
        (f'{BEARER}, Basic realm="x"', "Bearer t1"),
        ('bearer REALM="https://auth.example/token" , service = reg.example', "Bearer t1"),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_every_way_to_write_a_challenge_is_understood(challenge: str, header: str | None) -> None:
    assert made(challenge, Server()).header(SCOPES) == header


def test_a_token_is_asked_for_once_for_all_that_it_is_for() -> None:
    server = Server(expires_in=300)
    found = made(BEARER, server)
    assert [found.header(SCOPES) for _ in range(3)] == ["Bearer t1"] * 3
    assert found.header(("repository:other:pull",)) == "Bearer t2"
    first = server.asked[0]
    assert first.url == "https://auth.example/token"
    assert first.authorization == "Basic am9lOnB3"
    assert list(first.query) == [
        ("account", "joe"),
        ("service", "reg.example"),
        *(("scope", scope) for scope in SCOPES),
    ]


def test_a_refused_token_is_renewed_and_a_refused_password_is_not() -> None:
    found = made(BEARER, Server(expires_in=300))
    assert found.renewed(SCOPES, found.header(SCOPES)) == "Bearer t2"
    assert found.header(SCOPES) == "Bearer t2"
    basic = made("Basic", Server())
    assert basic.renewed(SCOPES, basic.header(SCOPES)) is None


def test_who_is_not_logged_in_asks_without_a_name() -> None:
    server = Server()
    assert made(BEARER, server, None).header(SCOPES) == "Bearer t1"
    assert server.asked[0].authorization is None
    assert "account" not in dict(server.asked[0].query)
    assert made("Basic", Server(), None).header(SCOPES) is None


def test_an_identity_token_is_posted_and_never_in_a_url() -> None:
    server = Server()
    assert made(BEARER, server, Login("", identity_token="secret")).header(SCOPES) == "Bearer t1"
    (asked,) = server.asked
    assert asked.query == ()
    assert asked.authorization is None
    assert asked.form is not None
    assert asked.form["grant_type"] == "refresh_token"
    assert asked.form["refresh_token"] == "secret"
    assert asked.form["scope"] == " ".join(SCOPES)


@pytest.mark.parametrize("fields", [{"token": None}, {"token": ""}, {"token": "a\nb"}])
def test_an_answer_without_a_token_is_an_error(fields: dict[str, object]) -> None:
    with pytest.raises(RegistryError, match="answered without a token"):
        made(BEARER, Server(**fields)).header(SCOPES)
