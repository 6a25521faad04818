"""What goes wrong on the way to a registry, in its words."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING

import requests
import urllib3

if TYPE_CHECKING:
    from requests import Response

__all__ = ["BROKEN", "describe", "retry_after", "words_of"]

BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a connection that breaks, or never comes to be, raises."""


def describe(error: Exception) -> str:
    """What became of a connection, in a few words: those of the innermost cause."""
    cause: BaseException = error
    while True:
        args = [item for item in cause.args if isinstance(item, BaseException)]
        inner = getattr(cause, "reason", None)
        below = inner if isinstance(inner, BaseException) else next(iter(args), None)
        if below is None:
            break
        cause = below
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return str(cause).rpartition("] ")[2].rstrip(")")  # the system's words, behind its number
    if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
        return "it could not be reached"
    if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
        return "it stalled"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    words = str(cause).rpartition(": ")[2].strip() or type(cause).__name__
    return words[:300]


def words_of(response: Response) -> str:
    """The status, and what the registry's `errors` say (OCI distribution, "Error Codes")."""
    said = f"{response.status_code} {response.reason or ''}".strip()
    try:
        document = json.loads(response.raw.read(1 << 16, decode_content=False) or b"null")
        errors = document["errors"]
        words = [f"{item.get('code', '')}: {item.get('message', '')}" for item in errors]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, *BROKEN):
        return said
    told = "; ".join(word.strip(": ") for word in words[:3])
    return f"{said} ({told[:500]})" if told else said


def retry_after(response: Response) -> float | None:
    """`Retry-After` in seconds (RFC 9110, 10.2.3): a number of them, or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time()) if text else None
    except ValueError:
        return None
