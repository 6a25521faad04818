"""What a registry wants to see before it answers: Basic, or a Bearer token of a token server.

(distribution/distribution, "Token Authentication Specification" and "OAuth2 Token Authentication";
RFC 9110, "WWW-Authenticate".)
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from imagesmith.errors import BaseError, RegistryError
from imagesmith.oci.credentials import Credentials, Login
from imagesmith.oci.spec import parse

__all__ = ["Authorization", "Scopes", "TokenRequest", "pull", "push"]

Scopes = tuple[str, ...]
"""What a token is for, each as `repository:NAME:ACTION,…`."""

SHORTEST_SECONDS = 60
"""What a token lives if its server says nothing ("Token Authentication", `expires_in`)."""

SPARE_SECONDS = 10
CLIENT = "imagesmith"

_PART = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9-]*)[ ]+)?"
    r'(?P<key>[A-Za-z0-9_-]+)[ ]*=[ ]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))'
)
_BASIC = re.compile(r"(?:^|,)\s*basic\b", re.IGNORECASE)


def pull(name: str) -> str:
    """The scope of reading a repository."""
    return f"repository:{name}:pull"


def push(name: str) -> str:
    """The scope of reading and writing a repository."""
    return f"repository:{name}:pull,push"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to a token server: a GET, or with a `form` a POST."""

    url: str
    query: Sequence[tuple[str, str]] = ()
    authorization: str | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Token:
    header: str = field(repr=False)
    expires: float


class Authorization:
    """The `Authorization` headers for one host; tokens are kept by what they are for.

    `fetch` makes a token request and returns the answer's body, or raises RegistryError.
    """

    def __init__(
        self, host: str, credentials: Credentials, fetch: Callable[[TokenRequest], bytes]
    ) -> None:
        self._host = host
        self._credentials = credentials
        self._fetch = fetch
        self._lock = threading.Lock()
        self._challenge: tuple[str, Mapping[str, str]] | None = None
        self._tokens: dict[Scopes, _Token] = {}
        self._login: tuple[Login | None] | None = None

    def challenged(self, header: str | None) -> None:
        """Take note of a `WWW-Authenticate`."""
        found = _challenge(header or "")
        if found:
            self._challenge = found

    def header(self, scopes: Scopes) -> str | None:
        """What to send; None where the registry wants nothing."""
        return self._header(scopes, refused=None)

    def renewed(self, scopes: Scopes, refused: str | None) -> str | None:
        """Another header than the one that was refused; None if there is no other.

        Raises RegistryError if the token server refuses.
        """
        new = self._header(scopes, refused)
        return None if new == refused else new

    def logged_in(self) -> bool:
        """Whether there is a login for this host at all."""
        return self._user() is not None

    def _header(self, scopes: Scopes, refused: str | None) -> str | None:
        if self._challenge is None:
            return None
        scheme, fields = self._challenge
        # One thread fetches a token, those that want the same wait for it.
        with self._lock:
            user = self._user()
            if scheme == "basic":
                return _basic(user)
            kept = self._tokens.get(scopes)
            if kept is None or kept.header == refused or kept.expires < time.monotonic():
                kept = self._tokens[scopes] = self._token(fields, scopes, user)
            return kept.header

    def _user(self) -> Login | None:
        if self._login is None:
            self._login = (self._credentials.login(self._host),)
        return self._login[0]

    def _token(self, fields: Mapping[str, str], scopes: Scopes, user: Login | None) -> _Token:
        realm, service = fields.get("realm", ""), fields.get("service", "")
        wanted = [("service", service)] if service else []
        if user and user.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": user.identity_token,
                "client_id": CLIENT,
                "scope": " ".join(scopes),
                **dict(wanted),
            }
            asked = TokenRequest(realm, form=form)
        else:
            account = [("account", user.username)] if user else []
            query = [*account, *wanted, *(("scope", scope) for scope in scopes)]
            asked = TokenRequest(realm, query, _basic(user))
        begun = time.monotonic()
        try:
            found = parse(self._fetch(asked), f"{self._host}: the token server's answer")
        except BaseError as error:
            raise RegistryError(error.message) from None
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not token or not token.isprintable():
            raise RegistryError(f"{self._host}: the token server answered without a token")
        life = found.get("expires_in")
        seconds = life if isinstance(life, int) else SHORTEST_SECONDS
        return _Token(f"Bearer {token}", begun + max(seconds, SHORTEST_SECONDS) - SPARE_SECONDS)


def _basic(user: Login | None) -> str | None:
    if user is None or not user.username:
        return None
    pair = f"{user.username}:{user.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _challenge(header: str) -> tuple[str, Mapping[str, str]] | None:
    """The scheme and its fields that we can answer: Bearer before Basic."""
    schemes: dict[str, dict[str, str]] = {}
    scheme = ""
    for part in _PART.finditer(header):
        scheme = (part["scheme"] or scheme).lower()
        quoted = part["quoted"]
        value = part["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        schemes.setdefault(scheme, {})[part["key"].lower()] = value
    if schemes.get("bearer", {}).get("realm"):
        return "bearer", schemes["bearer"]
    if "basic" in schemes or _BASIC.search(header):
        return "basic", {}
    return None
