"""The recipe: what to build, on which base, and how the image behaves.

`model` is the shape, a tree of frozen values that knows its rules; `schema` is that shape as the
JSON Schema that editors read; `load` makes a recipe from a file and tells every mistake at once.
"""

from imagesmith.recipe.load import default, load, parse
from imagesmith.recipe.model import (
    Base,
    Builder,
    DockerfileBase,
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
)
from imagesmith.recipe.schema import schema

__all__ = [
    "Base",
    "Builder",
    "DockerfileBase",
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
    "load",
    "parse",
    "schema",
]
