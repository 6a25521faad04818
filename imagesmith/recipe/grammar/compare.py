"""The `compare` of a recipe: what is asked of the application while it changes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, WrapValidator
from pydantic.fields import FieldInfo

from imagesmith.recipe import limits
from imagesmith.recipe import recipe as made
from imagesmith.recipe.grammar.probe import HttpProbe
from imagesmith.recipe.grammar.section import PortNumber, Section, told_by_key, wants

__all__ = ["Compare"]

_Path = Annotated[
    str, Field(pattern=r"^/[!-~]*$"), wants("a path that begins with /", "http: /health")
]
# What is sent is a line: one with an end inside would be two.
_Line = Annotated[
    str,
    Field(min_length=1, max_length=4096, pattern=r"^[^\r\n]*$"),
    wants("a line of text", "say: ping"),
]
_Key = Annotated[
    str,
    Field(min_length=1, max_length=255),
    wants("a key of the JSON that answers", "version: version"),
]


def _within(bounds: limits.Limits, write: str) -> tuple[FieldInfo, WrapValidator]:
    """What a whole number between them is declared by."""
    field: FieldInfo = Field(ge=bounds.least, le=bounds.most)
    return field, wants(f"a whole number {bounds}", write)


class HoldHttp(Section):
    """A connection that is kept, with a GET every second."""

    makes = made.HoldHttp

    http: _Path = Field(description="The path to ask, such as /health.")
    port: PortNumber = Field(description="The container's port.")


class HoldWebsocket(Section):
    """A WebSocket."""

    makes = made.HoldWebsocket

    websocket: _Path = Field(description="The path to open, such as /live/websocket.")
    port: PortNumber = Field(description="The container's port.")
    say: _Line | None = Field(
        default=None, description="What to send every second. Default: a ping frame."
    )


class HoldTcp(Section):
    """A TCP connection that is spoken on."""

    makes = made.HoldTcp

    tcp: Annotated[
        int, Field(ge=1, le=65535), wants("a port number from 1 to 65535", "tcp: 4001")
    ] = Field(description="The container's port.")
    say: _Line = Field(description="The line to send every second, which is answered by a line.")


Hold: TypeAlias = HoldHttp | HoldWebsocket | HoldTcp
_HOLD = "hold: {websocket: /live/websocket, port: 4000}"
_HoldField = Annotated[
    Hold,
    BeforeValidator(
        told_by_key({"http": HoldHttp, "websocket": HoldWebsocket, "tcp": HoldTcp}, _HOLD),
        json_schema_input_type=HoldHttp | HoldWebsocket | HoldTcp,
    ),
    wants("a mapping", _HOLD),
]


class Compare(Section):
    """What `imagesmith compare` asks for and holds, and how much of it."""

    makes = made.Compare

    request: Annotated[HttpProbe, wants("a mapping", "request: {http: /, port: 4000}")] | None = (
        Field(
            default=None,
            description="What is asked for, again and again: a path and a port."
            " Default: what the probe asks, if it is http.",
        )
    )
    version: _Key | None = Field(
        default=None,
        description="The key of the answer, a JSON object, that tells the version; a.b is b in a.",
    )
    state: _Key | None = Field(
        default=None,
        description="The key of the answer that tells a whole number which only grows while the"
        " application keeps its state in memory.",
    )
    hold: _HoldField | None = Field(
        default=None,
        description="The connections that are held: http, websocket or tcp."
        " Default: http, at what is asked for.",
    )
    connections: Annotated[int, *_within(limits.CONNECTIONS, "connections: 200")] = Field(
        default=200, description="How many connections are held."
    )
    rate: Annotated[int, *_within(limits.RATE, "rate: 50")] = Field(
        default=50, description="How many requests are sent a second."
    )
    replicas: Annotated[int, *_within(limits.REPLICAS, "replicas: 2")] = Field(
        default=2, description="How many containers share the load."
    )
