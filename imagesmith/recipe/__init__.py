"""The recipe: what to build, on which base, and how the image behaves.

`recipe` is what a recipe is, plain values; `grammar` is how they are written, `schema` is that as
the JSON Schema that editors read, and `parse` makes a recipe of YAML and tells every mistake at
once. `load` reads a file, by way of them or of what was kept of an earlier time.
"""

from imagesmith.recipe.recipe import (
    Base,
    Builder,
    Compare,
    DockerfileBase,
    Hold,
    HoldHttp,
    HoldTcp,
    HoldWebsocket,
    HttpProbe,
    Layers,
    LayoutBase,
    MinimalBase,
    Pet,
    Port,
    Probe,
    Recipe,
    ReferenceBase,
    ReleasePath,
    RpcProbe,
    Source,
    SourceCommand,
    SourceDockerfile,
    TcpProbe,
    WebsocketProbe,
    default,
)

__all__ = [
    "Base",
    "Builder",
    "Compare",
    "DockerfileBase",
    "Hold",
    "HoldHttp",
    "HoldTcp",
    "HoldWebsocket",
    "HttpProbe",
    "Layers",
    "LayoutBase",
    "MinimalBase",
    "Pet",
    "Port",
    "Probe",
    "Recipe",
    "ReferenceBase",
    "ReleasePath",
    "RpcProbe",
    "Source",
    "SourceCommand",
    "SourceDockerfile",
    "TcpProbe",
    "WebsocketProbe",
    "default",
]
