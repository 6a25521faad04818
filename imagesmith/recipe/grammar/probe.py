"""The `probe` of a recipe: how to see from outside whether the application is well."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from imagesmith.recipe import recipe as made
from imagesmith.recipe.grammar.section import PortNumber, Section, told_by_key, wants

__all__ = ["HttpProbe", "Probe", "ProbeField", "RpcProbe", "TcpProbe", "WebsocketProbe"]

_HttpPath = Annotated[
    str, Field(pattern=r"^/[!-~]*$"), wants("a path that begins with /", "http: /health")
]


class HttpProbe(Section):
    """The container is well when a GET answers 2xx or 3xx."""

    makes = made.HttpProbe

    http: _HttpPath = Field(description="The path to ask, such as /health.")
    port: PortNumber = Field(description="The container's port.")


class TcpProbe(Section):
    """The container is well when a TCP connection opens."""

    makes = made.TcpProbe

    tcp: Annotated[
        int, Field(ge=1, le=65535), wants("a port number from 1 to 65535", "tcp: 4000")
    ] = Field(description="The container's port.")


class WebsocketProbe(Section):
    """The container is well when a WebSocket opens and stays open."""

    makes = made.WebsocketProbe

    websocket: Annotated[
        str,
        Field(pattern=r"^/[!-~]*$"),
        wants("a path that begins with /", "websocket: /live/websocket"),
    ] = Field(description="The path to open, such as /live/websocket.")
    port: PortNumber = Field(description="The container's port.")


class RpcProbe(Section):
    """The container is well when an expression in the running node does not raise."""

    makes = made.RpcProbe

    rpc: Annotated[
        str, Field(min_length=1), wants("an expression", "rpc: Shop.Health.check!()")
    ] = Field(description="The expression, as for bin/NAME rpc.")


Probe: TypeAlias = HttpProbe | TcpProbe | WebsocketProbe | RpcProbe
_PROBE = "probe: {http: /, port: 4000}"
ProbeField = Annotated[
    Probe,
    BeforeValidator(
        told_by_key(
            {"http": HttpProbe, "tcp": TcpProbe, "websocket": WebsocketProbe, "rpc": RpcProbe},
            _PROBE,
        ),
        json_schema_input_type=HttpProbe | TcpProbe | WebsocketProbe | RpcProbe,
    ),
    wants("a mapping", _PROBE),
]
