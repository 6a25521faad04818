"""The grammar of a whole recipe: one class a mapping, one described field a key.

Each field reads what YAML gives (text, whole numbers, lists, mappings) into the value that the
rest of imagesmith works with; `parse` adds file, line and column to what is wrong.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
)

from imagesmith.recipe import recipe as made
from imagesmith.recipe.grammar.base import (
    COMPONENT,
    BaseField,
    MinimalBase,
)
from imagesmith.recipe.grammar.compare import Compare
from imagesmith.recipe.grammar.probe import (
    ProbeField,
)
from imagesmith.recipe.grammar.release import (
    ReleaseName,
    ReleasePath,
    SourceField,
)
from imagesmith.recipe.grammar.section import (
    ContainerPath,
    PortNumber,
    Section,
    absolute,
    disk_of,
    wants,
    wrong,
)

__all__ = ["Layers", "Pet", "Port", "Recipe"]

Text = Annotated[str, wants("text", '"…"')]


# --- how the container runs -----------------------------------------------------------------


def _split_command(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError:
        raise wrong("has a quote that is never closed; close it or write a list") from None


def _names_a_program(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words[0]:
        raise ValueError("an empty word cannot be run")
    return words


_Words = Annotated[list[str], Field(min_length=1)]
_Command = Annotated[
    tuple[Text, ...],
    Field(strict=False, min_length=1),
    AfterValidator(_names_a_program),
    BeforeValidator(_split_command, json_schema_input_type=str | _Words),
    wants("a command: text or a list of texts", "cmd: start"),
]


def _environment_name(name: str) -> str:
    if name == "RELEASE_COOKIE":
        raise wrong(
            "is a secret, and everybody who has the image could read it; remove it, and give it"
            " when the container runs: docker run -e RELEASE_COOKIE, or a mounted secret file"
        )
    return name


_Hooks = Annotated[
    tuple[_Command, ...],
    Field(strict=False),
    wants("a list of commands", 'before_upgrade: ["bin/migrate"]'),
]

_EnvironmentName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
    AfterValidator(_environment_name),
    wants("a name of letters, digits and _", "env: {PHX_HOST: shop.example}"),
]
# The loader hands over numbers as they are written: `010` must not arrive as 10, nor 1.10 as 1.1.
_EnvironmentValue = Annotated[Text, WithJsonSchema({"type": ["string", "number"]})]


class Port(Section):
    """A port that the container listens on; as text `4000/tcp`, the way an image config has it."""

    makes = made.Port

    number: PortNumber = Field(description="The port's number.")
    protocol: Literal["tcp", "udp", "sctp"] = Field(default="tcp", description="Its protocol.")


def _read_port(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"([\d.]{0,15}:)?\d{1,5}:\d{1,5}(/\w{1,4})?", value, re.ASCII):
        raise wrong(
            "publishes a port, which is decided when the container runs (docker run -p);"
            " write the container's port alone, for example ports: [4000]"
        )
    match = re.fullmatch(r"(\d{1,5})(?:/(tcp|udp|sctp))?", value, re.ASCII)
    if not match or not 1 <= int(match[1]) <= 65535:
        raise ValueError("no port")
    return Port.model_validate({"number": int(match[1]), "protocol": match[2] or "tcp"})


_PortField = Annotated[
    Port,
    BeforeValidator(
        _read_port,
        json_schema_input_type=PortNumber
        | Annotated[str, Field(pattern=r"^[0-9]{1,5}(/(tcp|udp|sctp))?$")],
    ),
    wants("a port from 1 to 65535, or one with a protocol", "ports: [4000, 53/udp]"),
]

_LARGEST_ID = 2**31 - 1  # Docker refuses more


def _read_user(value: object) -> str:
    match = re.fullmatch(r"(\d{1,10})(?::(\d{1,10}))?", str(value), re.ASCII)
    ids = [int(digits) for digits in match.groups() if digits] if match else []
    if not ids or max(ids) > _LARGEST_ID:
        raise ValueError("no UID or UID:GID")
    return ":".join(map(str, ids))


_User = Annotated[
    str,
    BeforeValidator(
        _read_user,
        json_schema_input_type=Annotated[int, Field(ge=0, le=_LARGEST_ID)]
        | Annotated[str, Field(pattern=r"^[0-9]{1,10}(:[0-9]{1,10})?$")],
    ),
    wants("UID or UID:GID in numbers (a base need not know a name)", 'user: "65532:65532"'),
]


# --- sections -------------------------------------------------------------------------------


class Layers(Section):
    """How the release becomes layers."""

    makes = made.Layers

    max: Annotated[int, Field(ge=8, le=120), wants("a whole number from 8 to 120", "max: 40")] = (
        Field(default=40, description="The most layers that the image may have, base excluded.")
    )
    strip: Annotated[
        Literal["auto", "always", "never"], wants("auto, always or never", "strip: auto")
    ] = Field(
        default="auto",
        description="Debug information and docs in .beam files: auto removes what is left of them"
        " where the release is stripped already, always removes them, never keeps them.",
    )
    canonical: Annotated[bool, wants("true or false", "canonical: true")] = Field(
        default=True,
        description="Store modules in canonical form, so that equal code is an equal layer;"
        " false takes every file as it is.",
    )
    own: Annotated[
        tuple[
            Annotated[
                str,
                Field(pattern=r"^[a-z][A-Za-z0-9_@]*$"),
                wants("the name of an application", "own: [shop, shop_web]"),
            ],
            ...,
        ],
        Field(strict=False),
        wants("a list of applications", "own: [shop, shop_web]"),
    ] = Field(
        default=(),
        description="Applications that are your own, where imagesmith takes them for dependencies:"
        " each gets layers of its own.",
    )


def _not_a_file(path: Path, info: ValidationInfo) -> Path:
    # It may be missing: git keeps no empty folder, and the first appup may be months away.
    if disk_of(info).kind(path) == "file":
        raise wrong(f"{path} is a file; name the folder that holds the .appup files")
    return path


class Pet(Section):
    """How a container that takes hot upgrades is kept (build --mode pet)."""

    makes = made.Pet

    volume: ContainerPath = Field(
        default="/upgrades", description="Where the upgrade volume is mounted in the container."
    )
    appups: (
        Annotated[
            Path,
            AfterValidator(_not_a_file),
            BeforeValidator(absolute),
            wants("the path of a folder", "appups: appups/"),
        ]
        | None
    ) = Field(
        default=None,
        description="A folder with .appup files of your own, relative to the recipe;"
        " they go before the generated ones. It may be missing.",
    )
    versioning: Annotated[
        Literal["manual", "auto"], wants("manual or auto", "versioning: manual")
    ] = Field(
        default="manual",
        description="manual: an application whose modules changed needs a new version of its own;"
        " auto: applications and the release get versions from their code, such as"
        " 0.1.0+3f2a9c1d0e, in images of both modes.",
    )
    before_upgrade: _Hooks = Field(
        default=(),
        description="Commands to run in the container before an upgrade is installed, with the new"
        " version's code, once for a group of containers: bin/shop eval 'Shop.migrate()'.",
    )
    after_upgrade: _Hooks = Field(
        default=(),
        description="Commands to run in the container once an upgrade is permanent, once for a"
        " group of containers.",
    )


# --- the recipe -----------------------------------------------------------------------------


def _whole(value: object) -> object:
    """Python holds true and 1.0 for equal to 1; a recipe does not."""
    if type(value) is not int:
        raise ValueError("no whole number")
    return value


class Recipe(Section):
    """A recipe of imagesmith: turns a BEAM release into a container image."""

    makes = made.Recipe

    version: Annotated[
        Literal[1],
        BeforeValidator(_whole),
        wants("1, the only version of recipes that there is", "version: 1"),
    ] = Field(description="The version of the recipe format: 1.")
    name: (
        Annotated[
            str,
            Field(pattern=f"^{COMPONENT}(/{COMPONENT})*$", max_length=255),
            wants("an image name in lower case", "name: shop"),
        ]
        | None
    ) = Field(default=None, description="The image's name. Default: the release's own name.")
    release: (
        Annotated[ReleasePath, wants("a mapping", "release: {path: _build/prod/rel/shop}")] | None
    ) = Field(default=None, description="The release to put into the image.")
    releases: (
        Annotated[
            Mapping[
                ReleaseName, Annotated[ReleasePath, wants("a mapping", "web: {path: rel/web}")]
            ],
            Field(min_length=1),
            wants("a mapping of names to releases", "releases: {web: {path: _build/prod/rel/web}}"),
        ]
        | None
    ) = Field(
        default=None,
        description="Many releases of one project, by name: an image each, all from one cache.",
    )
    source: SourceField | None = Field(
        default=None, description="Source code to build the release from, in place of `release`."
    )
    base: BaseField = Field(
        default=MinimalBase(),
        description="What lies below the release: minimal, an image reference, oci:DIR[@DIGEST],"
        " or a mapping with `minimal` or `dockerfile`.",
        json_schema_extra={"default": "minimal"},
    )
    cmd: _Command | None = Field(
        default=None,
        description="What the container runs. One word is a command of the release (start, server);"
        " a list, or text of several words, is a program with its arguments, such as"
        " bin/shop eval 'Shop.migrate()'. Default: bin/server where the release has it, or start.",
    )
    env: Annotated[
        Mapping[_EnvironmentName, _EnvironmentValue],
        wants("a mapping of names to texts", "env: {PHX_HOST: shop.example}"),
    ] = Field(
        default={},
        description="Environment variables, merged into imagesmith's own. No secrets:"
        " everybody who has the image can read them.",
        json_schema_extra={"not": {"required": ["RELEASE_COOKIE"]}},
    )
    ports: Annotated[
        tuple[_PortField, ...], Field(strict=False), wants("a list of ports", "ports: [4000]")
    ] = Field(default=(), description='Ports the container listens on: 4000, or "53/udp".')
    user: _User = Field(
        default="65532:65532",
        description="UID or UID:GID the container runs as, in numbers.",
    )
    labels: Annotated[
        Mapping[
            Annotated[
                str,
                Field(min_length=1),
                wants("a label's name", "labels: {org.opencontainers.image.vendor: Shop}"),
            ],
            Text,
        ],
        wants("a mapping of names to texts", "labels: {org.opencontainers.image.vendor: Shop}"),
    ] = Field(default={}, description="Labels of the image: names to texts.")
    layers: Annotated[Layers, wants("a mapping", "layers: {max: 40}")] = Field(
        default=Layers(), description="How many layers, and what goes into them."
    )
    pet: Annotated[Pet, wants("a mapping", "pet: {volume: /upgrades}")] = Field(
        default=Pet(), description="Settings of the pet image, which takes hot upgrades."
    )
    probe: ProbeField | None = Field(
        default=None,
        description="What `upgrade --watch` and `compare` ask to see whether the application is"
        " well: a mapping with http, tcp, websocket or rpc.",
    )
    compare: Annotated[Compare, wants("a mapping", "compare: {connections: 200}")] = Field(
        default=Compare(),
        description="How `imagesmith compare` loads the application while it changes.",
    )
    stop_timeout: Annotated[
        int, Field(ge=1), wants("a whole number of seconds from 1", "stop_timeout: 30")
    ] = Field(
        default=30, description="Seconds that the application has to stop before it is killed."
    )
