"""A token server as docker-registry trusts one: it signs what a client may do.

After distribution's "Token Authentication Specification" and "OAuth2 Token Authentication": GET
with Basic credentials, POST with a refresh token; a JSON Web Token, ES256, whose certificate chain
the registry follows to its `rootcertbundle`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict
from urllib.parse import parse_qs, urlsplit

import trustme
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from tests.registries.loopback import Handler, listening
from tests.registries.servers import PASSWORD, USER

__all__ = ["Asked", "TokenServer", "token_server"]

SERVICE, ISSUER = "the shop's registry", "the shop's token server"
REFRESH_TOKEN = "refreshed by this"
LEEWAY = 60
"""Seconds that docker-registry goes on taking an expired token (token.go, Leeway)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a token, and what was granted, as scopes."""

    method: str
    user: str | None
    scopes: tuple[str, ...]
    granted: tuple[str, ...]


class Access(TypedDict):
    """An entry of a token's `access`."""

    type: str
    name: str
    actions: list[str]


@dataclass
class TokenServer:
    """What a test may turn while the server runs, and what it was asked.

    `seconds` is how long the registry takes a token. `promised` is `expires_in` in the answer.
    Only users with a password have `push`; nobody has any right to the repositories in `denied`.
    """

    folder: Path
    realm: str = ""
    seconds: int = 300
    promised: int | None = 300
    denied: frozenset[str] = frozenset()
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self._bundle))
        issued = authority.issue_cert("token.example")
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        self._key = key
        self._chain = [
            base64.b64encode(
                load_pem_x509_certificate(pem.bytes()).public_bytes(Encoding.DER)
            ).decode()
            for pem in issued.cert_chain_pems
        ]

    @property
    def _bundle(self) -> Path:
        return self.folder / "token-authority.pem"

    @property
    def auth(self) -> dict[str, object]:
        """`auth` of docker-registry."""
        return {
            "token": {
                "realm": self.realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(self._bundle),
            }
        }

    def grant(self, method: str, user: str | None, scopes: list[str]) -> dict[str, object]:
        """The answer to a request: less than was asked for is no error."""
        access = [item for scope in scopes if (item := self._allowed(user, scope))]
        granted = tuple(f"repository:{item['name']}:{','.join(item['actions'])}" for item in access)
        self.asked.append(Asked(method, user, tuple(scopes), granted))
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user or "",
            "aud": SERVICE,
            "exp": now + self.seconds - LEEWAY,
            "nbf": now - 1,
            "iat": now,
            "jti": str(len(self.asked)),
            "access": access,
        }
        token = self._sign(claims)
        answer: dict[str, object] = {"scope": " ".join(granted)}
        answer["access_token" if method == "POST" else "token"] = token
        return answer | ({} if self.promised is None else {"expires_in": self.promised})

    def _allowed(self, user: str | None, scope: str) -> Access | None:
        kind, name, actions = scope.split(":", 2)
        if kind != "repository" or name in self.denied:
            return None
        granted = [item for item in actions.split(",") if user or item == "pull"]
        return {"type": kind, "name": name, "actions": granted} if granted else None

    def _sign(self, claims: dict[str, object]) -> str:
        header = {"typ": "JWT", "alg": "ES256", "x5c": self._chain}
        signed = (
            f"{_base64url(json.dumps(header).encode())}.{_base64url(json.dumps(claims).encode())}"
        )
        # RFC 7518, 3.4: the two numbers side by side, not ASN.1.
        pair = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        return f"{signed}.{_base64url(b''.join(number.to_bytes(32, 'big') for number in pair))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    """A running token server; its `auth` makes a docker-registry ask for its tokens."""
    folder.mkdir(exist_ok=True)
    server = TokenServer(folder)

    class Endpoint(Handler):
        def do_GET(self) -> None:  # noqa: N802
            query = parse_qs(urlsplit(self.path).query)
            header = self.headers.get("Authorization")
            if header and header != _basic():
                return self._refuse()
            scopes = [item for text in query.get("scope", []) for item in text.split()]
            return self._grant(query, USER if header else None, scopes)

        def do_POST(self) -> None:  # noqa: N802
            length = int(self.headers.get("Content-Length", 0))
            form = parse_qs(self.rfile.read(length).decode())
            if (form.get("grant_type"), form.get("refresh_token")) != (
                ["refresh_token"],
                [REFRESH_TOKEN],
            ) or not form.get("client_id"):
                return self._refuse()
            return self._grant(form, USER, form.get("scope", [""])[0].split())

        def _grant(self, form: dict[str, list[str]], user: str | None, scopes: list[str]) -> None:
            if form.get("service") != [SERVICE]:
                return self._refuse()
            body = json.dumps(server.grant(self.command, user, scopes)).encode()
            return self.answer(200, {"Content-Type": "application/json"}, body)

        def _refuse(self) -> None:
            server.asked.append(Asked(self.command, None, (), ()))
            self.answer(401, {}, b'{"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}')

    with listening(Endpoint) as host:
        server.realm = f"http://{host}/token"
        yield server


def _basic() -> str:
    return f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
