"""What the probe saw, as one line of compact JSON: rows instead of objects."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from imagesmith.compare.run import Client, Load, Request

__all__ = ["load_of_line", "load_to_line"]

_Request: TypeAlias = tuple[float, float, str | None, str | None, int | None, str | None, float]
_Client: TypeAlias = tuple[int, list[tuple[float, float]], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    seconds: float
    requests: list[_Request]
    clients: list[_Client]


_DOCUMENT = TypeAdapter(_Document)


def load_to_line(load: Load) -> bytes:
    """Times to the microsecond, which is more than can be known of them."""
    document = _Document(
        seconds=load.seconds,
        requests=[
            (
                _rounded(request.due),
                _rounded(request.seconds),
                request.version,
                request.server,
                request.state,
                request.failure,
                _rounded(request.late),
            )
            for request in load.requests
        ],
        clients=[
            (
                client.number,
                [(_rounded(began), _rounded(ended)) for began, ended in client.live],
                [_rounded(at) for at in client.drops],
            )
            for client in load.clients
        ],
    )
    return _DOCUMENT.dump_json(document)


def load_of_line(line: bytes) -> Load:
    """The other way; ValueError where it is no such line."""
    document = _DOCUMENT.validate_json(line)
    return Load(
        seconds=document.seconds,
        requests=[Request(*row) for row in document.requests],
        clients=[Client(*row) for row in document.clients],
    )


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
