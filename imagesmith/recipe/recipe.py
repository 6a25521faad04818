"""A recipe, as the rest of imagesmith sees it: plain values that a validated file became.

What may be written, and what each key is for, stands in `imagesmith.recipe.grammar`. A path is
absolute, without links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = [
    "RELEASE_KEYS",
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

RELEASE_KEYS = ("release", "releases", "source")  # a recipe has exactly one of them


# --- where the release comes from ---


@dataclass(frozen=True, kw_only=True)
class ReleasePath:
    """A release that is there already: its folder, or a .tar.gz of one."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Builder:
    """The image in which a release is built from source; the last stage without `target`."""

    dockerfile: Path
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class SourceCommand:
    """A release that imagesmith builds: one command, run in a builder image."""

    path: Path  # the project's folder
    command: str
    builder: Builder


@dataclass(frozen=True, kw_only=True)
class SourceDockerfile:
    """A release that the user's own Dockerfile builds; `path` is its folder in that stage."""

    dockerfile: Path
    target: str | None = None
    path: str


Source: TypeAlias = SourceCommand | SourceDockerfile


# --- what lies below it ---


@dataclass(frozen=True, kw_only=True)
class LayoutBase:
    """An OCI layout on disk; without `digest` (`sha256:…`) it must hold just one image."""

    path: Path
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceBase:
    """An image in a registry, as the recipe has it, such as `debian:12-slim`."""

    reference: str


@dataclass(frozen=True, kw_only=True)
class MinimalBase:
    """Only the shared libraries and tools that the release needs, taken from a sysroot."""

    sysroot: Path | LayoutBase | ReferenceBase = Path("/")


@dataclass(frozen=True, kw_only=True)
class DockerfileBase:
    """A base that a Dockerfile builds, with `packages` of its distribution on top."""

    dockerfile: Path
    target: str | None = None
    packages: tuple[str, ...] = ()


Base: TypeAlias = MinimalBase | LayoutBase | ReferenceBase | DockerfileBase


# --- how the container runs ---


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port that the container listens on; as text `4000/tcp`, the way an image config has it."""

    number: int
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True, kw_only=True)
class HttpProbe:
    """The container is well when a GET of the path `http` answers 2xx or 3xx."""

    http: str
    port: int


@dataclass(frozen=True, kw_only=True)
class TcpProbe:
    """The container is well when a TCP connection to the port opens."""

    tcp: int


@dataclass(frozen=True, kw_only=True)
class WebsocketProbe:
    """The container is well when a WebSocket at the path opens and stays open."""

    websocket: str
    port: int


@dataclass(frozen=True, kw_only=True)
class RpcProbe:
    """The container is well when an expression in the running node does not raise."""

    rpc: str


Probe: TypeAlias = HttpProbe | TcpProbe | WebsocketProbe | RpcProbe


# --- what it is compared by ---


@dataclass(frozen=True, kw_only=True)
class HoldHttp:
    """An HTTP/1.1 connection that is kept, with a GET of the path `http` every second."""

    http: str
    port: int


@dataclass(frozen=True, kw_only=True)
class HoldWebsocket:
    """A WebSocket at the path; `say` is sent every second, or a ping without it."""

    websocket: str
    port: int
    say: str | None = None


@dataclass(frozen=True, kw_only=True)
class HoldTcp:
    """A TCP connection to the port; the line `say`, sent every second, is answered by a line."""

    tcp: int
    say: str


Hold: TypeAlias = HoldHttp | HoldWebsocket | HoldTcp


@dataclass(frozen=True, kw_only=True)
class Compare:
    """What `imagesmith compare` asks for and holds, and how much of it.

    `request` is asked for, by default what an HTTP probe asks; `version` and `state` are keys of
    its answer, a JSON object, with dots between the keys of nested ones: what tells the version
    that answered, and a whole number that only grows while the application keeps its state.
    `rate`: requests a second. `hold` is what a connection is; without it the requests' own kind.
    """

    request: HttpProbe | None = None
    version: str | None = None
    state: str | None = None
    hold: Hold | None = None
    connections: int = 200
    rate: int = 50
    replicas: int = 2


# --- how it is made ---


@dataclass(frozen=True, kw_only=True)
class Layers:
    """How the release becomes layers, at most `max` of them; `own` names applications."""

    max: int = 40
    strip: Literal["auto", "always", "never"] = "auto"
    canonical: bool = True
    own: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pet:
    """How a container that takes hot upgrades is kept; the folder `appups` may be missing.

    The hooks are commands to run in the container, once for a group of containers.
    """

    volume: str = "/upgrades"  # where it is mounted in the container
    appups: Path | None = None
    versioning: Literal["manual", "auto"] = "manual"
    before_upgrade: tuple[tuple[str, ...], ...] = ()
    after_upgrade: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to build, on which base, and how the image behaves.

    Raises ValueError unless there is exactly one of `release`, `releases` and `source`.
    """

    version: Literal[1]
    name: str | None = None
    release: ReleasePath | None = None
    releases: Mapping[str, ReleasePath] | None = None
    source: Source | None = None
    base: Base = MinimalBase()
    cmd: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    user: str = "65532:65532"  # UID:GID or UID, in numbers
    labels: Mapping[str, str] = field(default_factory=dict)
    layers: Layers = Layers()
    pet: Pet = Pet()
    probe: Probe | None = None
    compare: Compare = Compare()
    stop_timeout: int = 30  # seconds

    def __post_init__(self) -> None:
        if sum(getattr(self, key) is not None for key in RELEASE_KEYS) != 1:
            raise ValueError("wants exactly one of release, releases and source")


def default(release_path: Path) -> Recipe:
    """The recipe for a release without a recipe: everything by default."""
    return Recipe(version=1, release=ReleasePath(path=release_path.absolute()))
