"""HTTP to anywhere: no credentials of its own, no cookies, no redirects that nobody asked for."""

from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter

from imagesmith import __version__

if TYPE_CHECKING:
    from urllib3 import ProxyManager

__all__ = ["make_session"]

POOL_CONNECTIONS = 16
BLOCK_BYTES = 1 << 16
"""What is handed to a socket at once; each has to be taken within the timeout."""


class _Adapter(HTTPAdapter):
    """An adapter that believes the certificates of a context, besides those requests is told of."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_maxsize=POOL_CONNECTIONS)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(
            *arguments, **options, ssl_context=self._context, blocksize=BLOCK_BYTES
        )

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        """See HTTPAdapter."""
        found = super().proxy_manager_for(
            proxy, **options, ssl_context=self._context, blocksize=BLOCK_BYTES
        )
        return cast("ProxyManager", found)


class _Nobody(requests.auth.AuthBase):
    """Adds nothing; without it requests would add what ~/.netrc has for a host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def make_session(host: str, own: ssl.SSLContext, others: ssl.SSLContext) -> requests.Session:
    """A session that any number of threads may use; `own` is for the registry's host alone."""
    session = requests.Session()
    session.auth = _Nobody()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update(
        # A blob's bytes are what was pushed: nothing may compress them on the way.
        {"User-Agent": f"imagesmith/{__version__}", "Accept-Encoding": "identity"}
    )
    session.mount("https://", _Adapter(others))
    session.mount(f"https://{host}/", _Adapter(own))
    return session
