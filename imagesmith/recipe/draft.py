"""A first recipe: what is known of a project, as YAML with comments.

Names and paths come from files that anybody may have written, so all of them pass `_scalar`, and
what goes into a comment passes `_comment`: neither lets a text become YAML.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagesmith.errors import UsageError
from imagesmith.recipe.grammar.base import COMPONENT

__all__ = ["Draft", "DraftRelease", "draft"]

_WIDTH = 98
_LONGEST = 4000  # characters of a path; a recipe takes 4,096
_PLAIN = re.compile(r"(?:/|(?:\.{1,2}/)*)[A-Za-z_][A-Za-z0-9_./@+-]*")
_NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_ROOM_FOR_KEY = 36  # where comments at the end of a line begin, as in recipes/shop.yml


@dataclass(frozen=True, slots=True)
class DraftRelease:
    """A release: its own name, and its path from the recipe's folder."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a project. `doubts` are what could not be read, in sentences."""

    origin: str  # the file that told it
    releases: Sequence[DraftRelease]
    commands: Sequence[str]  # to run before the recipe's paths are there, and then to build
    doubts: Sequence[str] = ()
    phoenix: bool = False
    database: bool = False
    server: bool = False  # bin/server will be in the release
    migrate: bool = False  # bin/migrate will


def draft(facts: Draft) -> str:
    """The recipe's text. Raises UsageError for a path that YAML cannot hold."""
    parts = [_head(facts), ["version: 1                          # of the recipe format"]]
    if facts.doubts:
        parts.insert(1, _doubts(facts.doubts))
    parts += [
        _releases(facts.releases),
        _BASE,
        _command(facts),
        _environment(facts),
        _ports(facts),
        *([_migrations(facts)] if facts.database else []),
        _REST,
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(facts: Draft) -> list[str]:
    names = ", ".join(release.name for release in facts.releases)
    return [
        *_comment(f"The recipe of {names}, as `imagesmith init` found it in {facts.origin}."),
        "#",
        *(line for command in facts.commands for line in _comment(command, indent="    ")),
        "#",
        *_comment(
            "What stands as a comment shows the default, or an example where it says so. Paths "
            "count from this file's folder. `imagesmith schema` has every key."
        ),
    ]


def _doubts(doubts: Sequence[str]) -> list[str]:
    lines = ["# Not certain:"]
    for doubt in doubts:
        told = _comment(doubt, indent="    ")
        lines += [f"#   - {line[6:]}" if line is told[0] else line for line in told]
    return lines


def _releases(releases: Sequence[DraftRelease]) -> list[str]:
    if len(releases) == 1:
        (release,) = releases
        lines = ["release:", f"  path: {_scalar(release.path)}"]
        image = _image_name(release.name)
        if image != release.name.lower():  # what the image would be called by default
            lines = [f"name: {_scalar(image)}", "", *lines]
        return lines
    lines = [
        "# Each becomes an image of this name; they share the layers that they have in common.",
        "# `imagesmith build --release NAME` builds one of them. What stands below counts for all.",
        "releases:",
    ]
    for name, release in zip(_keys(releases), releases, strict=True):
        lines += [f"  {_scalar(name)}:", f"    path: {_scalar(release.path)}"]
    return lines


def _keys(releases: Sequence[DraftRelease]) -> Iterator[str]:
    """A name for each image, no two alike."""
    taken: set[str] = set()
    for release in releases:
        name = wanted = _image_name(release.name)
        number = 2
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name)
        yield name


def _image_name(name: str) -> str:
    """The name, or the nearest one that an image can have (OCI distribution: small letters)."""
    lower = name.lower()
    if re.fullmatch(COMPONENT, lower):
        return lower
    return re.sub(r"[^a-z0-9]+", "-", lower).strip("-") or "release"


_BASE = [
    "# What lies below the release: only the libraries and tools that it needs, from this machine.",
    "# base: minimal",
]


def _command(facts: Draft) -> list[str]:
    if facts.server and len(facts.releases) == 1:
        return [
            "# What the container runs. This release has bin/server, which is then the default.",
            "# cmd: server",
        ]
    return [
        "# What the container runs: `server` where the release has bin/server, else `start`.",
        "# cmd: start                        # example",
    ]


def _environment(facts: Draft) -> list[str]:
    secrets = "Everybody who has the image can read them: so no secrets."
    if not facts.phoenix:
        return [
            f"# Environment variables. {secrets}",
            "# env:",
            "#   GREETING: hello                 # example",
        ]
    theirs = "SECRET_KEY_BASE and DATABASE_URL" if facts.database else "SECRET_KEY_BASE"
    told = f"Environment variables. {secrets} `docker run -e` is the place for {theirs}."
    return [*_comment(told), *_phoenix_environment(facts)]


def _phoenix_environment(facts: Draft) -> list[str]:
    host = "PHX_HOST: shop.example"
    if facts.server:
        return [
            *_comment("bin/server sets PHX_SERVER, without which Phoenix answers nothing."),
            "# env:",
            f"#   {host:<32}# example: the host in the URLs that it makes",
        ]
    why = (
        "There is no rel/overlays/bin/server here, which `mix phx.gen.release` would write: so "
        "PHX_SERVER has to be set, or Phoenix answers nothing."
    )
    if len(facts.releases) > 1:
        return [
            *_comment(f"{why} It would count for every release."),
            "# env:",
            '#   PHX_SERVER: "true"              # example',
            f"#   {host:<32}# example: the host in the URLs that it makes",
        ]
    return [
        *_comment(why),
        "env:",
        '  PHX_SERVER: "true"',
        f"  # {host:<32}# example: the host in the URLs that it makes",
    ]


def _ports(facts: Draft) -> list[str]:
    comment = "# what the container listens on"
    if facts.phoenix and len(facts.releases) == 1:
        return [
            f"{'ports: [4000]':<{_ROOM_FOR_KEY}}{comment}; Phoenix's unless PORT is set",
            "",
            "# How to see that it is well: read by commands that this version does not have yet.",
            f"{'# probe: {http: /, port: 4000}':<{_ROOM_FOR_KEY}}# example",
        ]
    why = "; Phoenix's, but it would count for all" if facts.phoenix else ""
    return [f"{'# ports: [4000]':<{_ROOM_FOR_KEY}}# example: {comment[2:]}{why}"]


def _migrations(facts: Draft) -> list[str]:
    if facts.migrate:
        return _comment("The database's migrations: `docker run --rm IMAGE bin/migrate`.")
    return _comment(
        "There is Ecto, but no rel/overlays/bin/migrate: `mix phx.gen.release` writes one, and "
        "then `docker run --rm IMAGE bin/migrate` migrates the database."
    )


_REST = [
    '# user: "65532:65532"               # UID or UID:GID, in numbers',
    "",
    "# stop_timeout: 30                  # seconds to stop in, before the container is killed",
]


def _comment(text: str, indent: str = "") -> list[str]:
    """The text as lines that are comments whatever it holds."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return textwrap.wrap(
        safe,
        _WIDTH,
        initial_indent=f"# {indent}",
        subsequent_indent=f"# {indent}",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _scalar(text: str) -> str:
    """The text as YAML that is read as this text and nothing else."""
    if len(text) > _LONGEST or any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        why = "it is too long" if len(text) > _LONGEST else "it is not UTF-8"
        raise UsageError(
            f"{text[:80]!a}: no recipe can hold this path: {why}", hint="Rename the folder."
        )
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"{}"'.format("".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped))
