"""A release built from source in BuildKit.

Either one command in a builder image over the project's folder, or the user's own Dockerfile whose
stage holds the release. The release comes out as a folder; images stay behind in BuildKit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from imagesmith.docker.access import NO_ACCESS, Access
from imagesmith.docker.buildx import Build, Tell
from imagesmith.docker.dockerfile import SCRIPTS, Dockerfile, placed, script_context
from imagesmith.docker.log import run_logged
from imagesmith.docker.needed import needed_buildkit
from imagesmith.errors import DockerError, ReleaseError, UsageError

__all__ = ["NO_ACCESS", "Access", "CommandSource", "DockerfileSource", "build_release"]

ALIAS = "imagesmith-builder"
PROJECT = "imagesmith-project"
OUTPUT = "imagesmith-release"
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
IGNORED = (
    "**/_build",
    "**/.git",
    "**/node_modules",
    "**/.elixir_ls",
    "**/.lexical",
    "**/cover",
    "**/erl_crash.dump",
)
"""What stays out of the context where the project has no `.dockerignore`."""

FETCHED = (".hex", ".git", ".fetch")
"""What Mix leaves in a dependency that it fetched; one without them is the project's own."""

SCRIPT = """\
# Runs the command in /src, and hands over the releases that it makes. By imagesmith.
set -eu
umask 022
# What an earlier command left would be taken for this one's; and mix would ask to overwrite it.
rm -rf _build/*/rel/*
# The cache of dependencies covers those that lie in the project itself: put them there again.
for dep in /imagesmith/project/deps/*; do
  [ -d "$dep" ] || continue
  if [ -e "$dep/.hex" ] || [ -e "$dep/.git" ] || [ -e "$dep/.fetch" ]; then continue; fi
  rm -rf "deps/${dep##*/}"
  cp -a "$dep" deps/
done
# BuildKit lays a tree that it had before as it was then, times included; but mix and make go by
# times, and _build may hold what was made of later sources. So what differs from these is touched.
sources=/imagesmith/sources
find . -path ./_build -prune -o -type f -print0 | xargs -0 -r sha256sum | LC_ALL=C sort > $sources
if [ -e _build/.imagesmith-sources ]; then
  LC_ALL=C comm -13 _build/.imagesmith-sources $sources | cut -c67- |
    while IFS= read -r file; do touch -c "$file"; done
fi
cp $sources _build/.imagesmith-sources
home=${MIX_HOME:-$HOME/.mix}
# Hex of the builder itself is used where it is.
if ! ls -d "$home"/archives/hex-* "$home"/elixir/*/archives/hex-* >/dev/null 2>&1; then
  export MIX_HOME=/imagesmith/mix
fi
if [ -e mix.exs ] && [ -e mix.lock ]; then
  case $1 in
  *deps.get*) ;;
  *)
    mix local.hex --force --if-missing
    mix local.rebar --force --if-missing
    mix deps.get --only "$MIX_ENV"
    ;;
  esac
fi
sh -euc "$1" </dev/null
mkdir -p /imagesmith/out
for release in _build/*/rel/*; do
  if [ -d "$release/releases" ]; then cp -a "$release" /imagesmith/out/; fi
done
"""


@dataclass(frozen=True, slots=True)
class CommandSource:
    """A project, the command that makes its release, and the Dockerfile stage to run it in."""

    project: Path
    command: str
    dockerfile: Path
    target: str | None = None


@dataclass(frozen=True, slots=True)
class DockerfileSource:
    """A Dockerfile whose stage `target` holds the release at `path`."""

    dockerfile: Path
    path: str
    target: str | None = None


def build_release(
    source: CommandSource | DockerfileSource,
    into: Path,
    tell: Tell | None = None,
    access: Access = NO_ACCESS,
    platform: str | None = None,
) -> Path:
    """Build the release; returns its folder, which lies in `into`.

    `platform` is that of the builder, its own without. Raises DockerError with the last lines of
    the compiler, UsageError for a stage that is not there, ReleaseError if no release came out.
    """
    dockerfile = source.dockerfile
    output = {"type": "local", "dest": str(into)}
    needed_buildkit("source")
    match source:
        case CommandSource(project=project, command=command):
            ignore = None if (project / ".dockerignore").is_file() else _ignore(project)
            with placed(_command_text(source, access), dockerfile, ignore) as file:
                contexts = script_context(file, "build", SCRIPT)
                build = Build(file, output, project, contexts=contexts, platform=platform)
                _run(build, access, dockerfile, tell)
            return _made(into, command)
        case DockerfileSource(path=path, target=target):
            name = PurePosixPath(path).name
            copy = f"COPY --from={ALIAS} {json.dumps([path, f'/{name}/'])}"
            stages = [f"FROM scratch AS {OUTPUT}", copy]
            text = Dockerfile.read(dockerfile).extended(target, stages, alias=ALIAS)
            with placed(text, dockerfile) as file:
                build = Build(file, output, dockerfile.parent, platform=platform)
                _run(build, access, dockerfile, tell)
            if not (into / name / "releases").is_dir():
                raise ReleaseError(
                    f"source, {dockerfile}: {path} is no release: it has no releases/"
                )
            return into / name


def _run(build: Build, access: Access, dockerfile: Path, tell: Tell | None) -> None:
    given = replace(build, target=OUTPUT, secrets=access.secrets, ssh=access.ssh)
    try:
        run_logged(given, tell)
    except DockerError as error:
        raise DockerError(f"source, {dockerfile}: {error.message}", hint=error.hint) from None


def _command_text(source: CommandSource, access: Access) -> str:
    """The builder's Dockerfile and on top of it: sources, caches, the command, the release."""
    parsed = Dockerfile.read(source.dockerfile)
    identity = f"{source.project.resolve()}\0{parsed.text}\0{source.target}"
    key = f"imagesmith-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    mounts = [
        *_cache(f"{key}-build", "/src/_build"),
        *_cache(f"{key}-deps", "/src/deps"),
        *_cache(f"{key}-mix", "/imagesmith/mix"),
        *_cache("imagesmith-rebar", "/imagesmith/rebar"),
        # Hex keeps keys of private organisations beside its packages: they must not stay.
        "type=tmpfs,target=/imagesmith/hex",
        *_cache("imagesmith-hex", "/imagesmith/hex/packages"),
        f"type=bind,from={PROJECT},source=/src/deps,target=/imagesmith/project/deps",
        f"type=bind,from={SCRIPTS},target=/imagesmith/script",
        *(f"type=secret,id={_secret_id(secret)},required=true" for secret in access.secrets),
    ]
    if access.ssh:
        mounts.append(f"type=ssh,id={access.ssh.partition('=')[0]},required=true")
    words = json.dumps(["/bin/sh", "/imagesmith/script/build", source.command])
    return parsed.extended(
        source.target,
        [
            f"FROM scratch AS {PROJECT}",
            "COPY . /src",
            "WORKDIR /src/deps",
            f"FROM {ALIAS} AS {ALIAS}-done",
            "USER root",
            "ENV MIX_ENV=prod LANG=C.UTF-8",
            "ENV HEX_HOME=/imagesmith/hex REBAR_CACHE_DIR=/imagesmith/rebar",
            f"COPY --from={PROJECT} /src /src",
            "WORKDIR /src",
            f"RUN {' '.join(f'--mount={mount}' for mount in mounts)} {words}",
            f"FROM scratch AS {OUTPUT}",
            f"COPY --from={ALIAS}-done /imagesmith/out /",
        ],
        alias=ALIAS,
    )


def _cache(key: str, target: str) -> Iterator[str]:
    yield f"type=cache,id={key},target={target},sharing=locked"


def _secret_id(secret: str) -> str:
    for part in secret.split(","):
        key, _, value = part.partition("=")
        if key == "id" and _ID.fullmatch(value):
            return value
    raise UsageError(
        f"--secret {secret}: it has no id",
        hint="Write `--secret id=NAME,src=FILE` or `…,env=NAME`.",
    )


def _ignore(project: Path) -> str:
    """A `.dockerignore` for a project without one: what a fresh clone would not have."""
    lines: list[str] = []
    with suppress(OSError, UnicodeDecodeError):
        lines += map(_as_dockerignore, (project / ".gitignore").read_text().splitlines())
    lines += IGNORED
    for dependency in sorted((project / "deps").glob("*")):
        if any((dependency / name).exists() for name in FETCHED):
            lines.append(f"deps/{dependency.name}")
    return "\n".join(filter(None, lines)) + "\n"


def _as_dockerignore(line: str) -> str:
    """A line of a `.gitignore` (gitignore(5)): without a slash in it, it holds in every folder."""
    line = line.strip()
    if not line or line.startswith("#"):
        return ""
    negated, pattern = ("!", line[1:]) if line.startswith("!") else ("", line)
    pattern = pattern.rstrip("/")
    return negated + (pattern.lstrip("/") if "/" in pattern else f"**/{pattern}")


def _made(into: Path, command: str) -> Path:
    made = sorted(path.name for path in into.iterdir() if path.is_dir())
    if len(made) > 1:
        named = [name for name in made if name in re.split(r"[^\w.-]+", command)]
        made = named if len(named) == 1 else made
    if len(made) == 1:
        return into / made[0]
    if made:
        raise UsageError(
            f"source: `{command}` makes {len(made)} releases: {', '.join(made)}",
            hint="Name the one that is wanted: `command: mix release NAME`.",
        )
    raise ReleaseError(
        f"source: `{command}` made no release: there is none in _build/*/rel",
        hint="The command should end with `mix release NAME` or `rebar3 as prod release`.",
    )
