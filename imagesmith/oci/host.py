"""One registry's host: requests that are authorized, repeated while that helps, and told of."""

from __future__ import annotations

import io
import ipaddress
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from imagesmith.errors import RegistryError
from imagesmith.oci.authorization import Authorization, TokenRequest
from imagesmith.oci.call import Answer, Call
from imagesmith.oci.connection import make_session
from imagesmith.oci.credentials import HUB, Credentials
from imagesmith.oci.patience import Patience
from imagesmith.oci.tls import tls_context
from imagesmith.oci.trouble import BROKEN, describe, retry_after, words_of

if TYPE_CHECKING:
    from requests import Response

__all__ = ["BROKEN", "MAX_ANSWER_BYTES", "Host", "Interrupted", "describe"]

HUB_HOST = "registry-1.docker.io"
MAX_ANSWER_BYTES = 4 << 20
MAX_REDIRECTS = 5
TOKEN = "a token"  # noqa: S105 - what it is called
REDIRECTS = (301, 302, 303, 307, 308)
AGAIN = (408, 425, 429)
"""What may go well a little later, as every 5xx may (RFC 9110, 9.2; RFC 6585)."""

_T = TypeVar("_T")


class Interrupted(RegistryError):
    """A registry that went away, or could not just now: asked again later it might."""


class Host:
    """A registry's host, by the name that references have for it: `HOST[:PORT]`."""

    def __init__(
        self,
        name: str,
        credentials: Credentials,
        *,
        insecure: Collection[str] = (),
        patience: Patience,
        certificates: Sequence[Path] = (),
        stopped: threading.Event,
    ) -> None:
        self.name = name
        self.patience = patience
        self._wire = HUB_HOST if name == HUB else name
        self._insecure = insecure
        self._stopped = stopped
        self._session = make_session(
            self._wire, tls_context(self._wire, certificates), tls_context(self._wire, ())
        )
        self._authorization = Authorization(name, credentials, self._token)
        self._greeting = threading.Lock()
        self._base: str | None = None

    def ask(self, call: Call) -> Answer:
        """Make a call and read its answer, at most 4 MiB. Raises RegistryError."""
        return self._repeated(call, self._read)

    @contextmanager
    def stream(self, call: Call) -> Iterator[Response]:
        """Make a call, and leave the answer's body to be read. Raises RegistryError."""
        response = self._repeated(call, lambda _, response: response, close=False)
        with response:
            yield response

    def wait(self, failures: int, wanted: float | None = None) -> None:
        """Wait before another try. Raises RegistryError if the run has been stopped."""
        if self._stopped.wait(self.patience.pause(failures, wanted)):
            raise RegistryError(f"{self.name}: stopped")

    def _repeated(
        self, call: Call, read: Callable[[Call, Response], _T], *, close: bool = True
    ) -> _T:
        tries = 1 if call.once else self.patience.tries
        for failures in range(1, tries + 1):
            wanted, status = None, None
            try:
                response = self._authorized(call)
                try:
                    if response.status_code in call.ok:
                        return read(call, response)
                    status, wanted = response.status_code, retry_after(response)
                    trouble = words_of(response)
                    if status not in AGAIN and (status < 500 or status == 501):
                        raise self._refused(call, response, trouble)
                finally:
                    if close or response.status_code not in call.ok:
                        response.close()
            except BROKEN as error:
                self._raise_if_hopeless(call, error)
                trouble = describe(error)
            if failures < tries:
                self.wait(failures, wanted)
        often = f", {tries} times" if tries > 1 else ""
        raise Interrupted(f"{self._place(call)}: {trouble}{often}", status=status)

    def _authorized(self, call: Call) -> Response:
        """Send a call with what the registry wants to see; once more if it is refused."""
        url = urljoin(self._greeted(), call.url)
        if call.authorization:
            return self._followed(call, url, call.authorization)
        if not call.scopes:
            return self._followed(call, url, None)
        sent = self._authorization.header(call.scopes)
        response = self._followed(call, url, sent)
        if response.status_code == 401 and self._is_own(response.url):
            self._authorization.challenged(response.headers.get("WWW-Authenticate"))
            new = self._authorization.renewed(call.scopes, sent)
            if new is not None:
                response.close()
                if not _rewound(call):
                    raise Interrupted(f"{self._place(call)}: the token had run out", status=401)
                response = self._followed(call, url, new)
        return response

    def _followed(self, call: Call, url: str, authorization: str | None) -> Response:
        """Send, and go where the answer says; what authorizes goes to its own host alone."""
        own = _origin(url) if call.authorization else _origin(self._base or "")
        for _ in range(MAX_REDIRECTS + 1):
            given = authorization if _origin(url) == own else None
            response = self._sent(call, url, given)
            target = response.headers.get("Location")
            if response.status_code not in REDIRECTS or not target or not _rewound(call):
                return response
            if call.method not in {"GET", "HEAD"} and response.status_code not in {307, 308}:
                return response
            response.close()
            url = urljoin(url, target)
            # The first URL's query is not the next one's.
            call = Call(call.method, url, call.what, headers=call.headers, body=call.body)
        raise RegistryError(f"{self._place(call)}: redirected more than {MAX_REDIRECTS} times")

    def _sent(self, call: Call, url: str, authorization: str | None) -> Response:
        if self._stopped.is_set():
            raise RegistryError(f"{self.name}: stopped")
        self._check_scheme(call, url)
        headers = {**call.headers, **({"Authorization": authorization} if authorization else {})}
        body = call.body if not isinstance(call.body, bytes) else io.BytesIO(call.body)
        sends = call.method in {"POST", "PUT", "PATCH"}
        if sends and call.body == b"":
            headers["Content-Length"] = "0"
        return self._session.request(
            call.method,
            url,
            params=list(call.query),
            headers=headers,
            data=body if sends and call.body != b"" else None,
            allow_redirects=False,
            stream=True,
            timeout=(self.patience.connect, self.patience.silence),
        )

    def _greeted(self) -> str:
        """The registry's base URL, found out once: its scheme, and what it wants to see."""
        with self._greeting:
            if self._base is None:
                self._base = self._greet()
            return self._base

    def _greet(self) -> str:
        """Ask for `/v2/` (OCI distribution, "Determining Support")."""
        call = Call("GET", "/v2/", "is it a registry")
        tries = self.patience.tries
        for failures in range(1, tries + 1):
            trouble, wanted = "", None
            for scheme in self._schemes():
                base = f"{scheme}://{self._wire}"
                try:
                    with self._sent(call, f"{base}/v2/", None) as response:
                        status = response.status_code
                        if status not in AGAIN and status < 500 and status != 400:
                            self._authorization.challenged(response.headers.get("WWW-Authenticate"))
                            return base
                        trouble, wanted = trouble or words_of(response), retry_after(response)
                except BROKEN as error:
                    self._raise_if_hopeless(call, error)
                    trouble = trouble or describe(error)
            if failures < tries:
                self.wait(failures, wanted)
        often = f", {tries} times" if tries > 1 else ""
        raise Interrupted(f"{self.name}: GET /v2/: {trouble}{often}")

    def _schemes(self) -> tuple[str, ...]:
        """On the loopback nobody listens, and most registries there speak plain http."""
        if _is_loopback(self._wire):
            return "http", "https"
        return ("https", "http") if self.name in self._insecure else ("https",)

    def _check_scheme(self, call: Call, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "https":
            return
        if parts.scheme != "http" or not (
            _is_loopback(parts.netloc) or parts.netloc in {*self._insecure}
        ):
            raise RegistryError(
                f"{self._place(call)}: leads to {parts.scheme}://{parts.netloc}, "
                "which is not protected by TLS",
                hint="A registry behind a proxy has to be told that it is reached by https "
                f"(X-Forwarded-Proto); or allow it: --insecure-registry {parts.netloc}",
            )

    def _is_own(self, url: str) -> bool:
        return _origin(url) == _origin(self._base or "")

    def _token(self, wanted: TokenRequest) -> bytes:
        """Ask a token server, which may be another host."""
        call = Call(
            "GET" if wanted.form is None else "POST",
            wanted.url,
            TOKEN,
            headers={}
            if wanted.form is None
            else {"Content-Type": "application/x-www-form-urlencoded"},
            query=wanted.query,
            body=b"" if wanted.form is None else _form(wanted.form),
            authorization=wanted.authorization,
        )
        return self.ask(call).body

    def _read(self, call: Call, response: Response) -> Answer:
        body = b"" if call.method == "HEAD" else _body(response)
        if len(body) > MAX_ANSWER_BYTES:
            raise RegistryError(f"{self._place(call)}: the answer is larger than 4 MiB")
        return Answer(response.status_code, response.headers, body, response.url)

    def _refused(self, call: Call, response: Response, words: str) -> RegistryError:
        status = response.status_code
        hint = None
        if status in {401, 403} and (self._is_own(response.url) or call.what == TOKEN):
            hint = (
                "The login there does not allow it."
                if self._authorization.logged_in()
                else f"Log in: `docker login {self.name}`, or set IMAGESMITH_REGISTRY_USERNAME "
                "and IMAGESMITH_REGISTRY_PASSWORD."
            )
        return RegistryError(f"{self._place(call)}: {words}", hint=hint, status=status)

    def _raise_if_hopeless(self, call: Call, error: Exception) -> None:
        """Raise RegistryError for what another try would not mend."""
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            reason = text.rpartition("CERTIFICATE_VERIFY_FAILED] ")[2].partition(" (_ssl")[0]
            raise RegistryError(
                f"{self._place(call)}: {reason}",
                hint="A private CA's certificate can lie in "
                f"/etc/docker/certs.d/{self.name}/ca.crt, or SSL_CERT_FILE can name it.",
            ) from None
        if "WRONG_VERSION_NUMBER" in text and len(self._schemes()) == 1:
            raise RegistryError(
                f"{self._place(call)}: it does not speak TLS",
                hint=f"If plain http will do: --insecure-registry {self.name}",
            ) from None
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            raise RegistryError(f"{self._place(call)}: {text}") from None

    def _place(self, call: Call) -> str:
        return f"{self.name}: {call.method} {call.what}"


def _body(response: Response) -> bytes:
    data = bytearray()
    while len(data) <= MAX_ANSWER_BYTES:
        chunk = response.raw.read(1 << 16, decode_content=False)
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _form(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode()


def _rewound(call: Call) -> bool:
    """Whether a call's body can be sent once more."""
    return isinstance(call.body, bytes)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _is_loopback(netloc: str) -> bool:
    host = urlsplit(f"//{netloc}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
