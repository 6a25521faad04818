"""What an image of a release should be told of before it runs: in words that say what to set."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping

from imagesmith.beam.module import chunks
from imagesmith.beam.origin import Origin
from imagesmith.beam.release import Release
from imagesmith.beam.tool import Tool
from imagesmith.beam.tree import File, show_path
from imagesmith.errors import ModuleError
from imagesmith.image.adapt import cookie_variables, vm_args_of

__all__ = ["notes", "warnings"]

CLUSTERS = ("libcluster", "dns_cluster", "peerage")
"""Applications that connect nodes by themselves."""

COOKIES = ("RELEASE_COOKIE", "RELEASE_COOKIE_FILE")
MOST_PORTS = 1 << 24
"""Erlang's limit is 2^27. A port's place in the VM's table takes some 40 bytes, used or not."""

CONFIGURATIONS = ("sys.config", "sys.config.src", "runtime.exs", "config.exs")
SHOWN_BYTES = 1 << 20
MAX_LITERAL_BYTES = 64 << 20


def warnings(release: Release, env: Mapping[str, str] | None = None) -> list[str]:
    """What the user should know of this release in an image; `env` is the recipe's."""
    return [
        *_cookie(release),
        *_cluster(release, env or {}),
        *_writers(release),
        *_ports(release),
        *_shell(release),
    ]


def notes(release: Release) -> list[str]:
    """What was decided about the release without being told, in words that say what to set."""
    return [*_left_out(release), *_concluded(release)]


def _left_out(release: Release) -> Iterator[str]:
    if release.left_by_runs:
        yield (
            f"left out is what a run of the release has left in its folder: "
            f"{', '.join(map(show_path, release.left_by_runs[:3]))}"
            + (", …" if len(release.left_by_runs) > 3 else "")
        )


def _concluded(release: Release) -> Iterator[str]:
    """The same release must not be cut otherwise where its project is not at hand."""
    names = [app.name for app in release.applications if app.verdict.is_concluded]
    if names:
        yield (
            f"whose {' and '.join(names)} is could only be concluded, as the project lies "
            "elsewhere or does not say it, and layers are cut by that: name your own applications "
            "in the recipe, `layers: {own: [...]}`"
        )


def _cookie(release: Release) -> Iterator[str]:
    """A cookie in vm.args is a secret that would lie in every copy of the image."""
    files = [path for path, found in vm_args_of(release).items() if found.sets_cookie]
    if not files:
        return
    others = [] if release.tool is Tool.MIX else list(cookie_variables(release))
    yield (
        f"{', '.join(files)}: the cookie of -setcookie is a secret, and is not taken into the "
        "image; RELEASE_COOKIE gives it at start"
        + "".join(f", or {name} as before" for name in others if name != "RELX_COOKIE")
        + ", or the file /run/secrets/release_cookie; else each container makes its own"
    )


def _cluster(release: Release, env: Mapping[str, str]) -> Iterator[str]:
    names = [app.name for app in release.applications if app.name in CLUSTERS]
    own = _text(release, f"{release.folder}/env.sh")
    if not names or any(name in env for name in COOKIES) or re.search(r"\bRELEASE_COOKIE=", own):
        return
    yield (
        f"{' and '.join(names)} forms a cluster, whose nodes need one cookie; without one each "
        "container makes its own, and they refuse each other: set RELEASE_COOKIE for all of them, "
        "or give all the same secret file as /run/secrets/release_cookie (RELEASE_COOKIE_FILE)"
    )


def _writers(release: Release) -> Iterator[str]:
    """Applications that write into the release unless told otherwise."""
    held = {app.name for app in release.applications}
    # Its README, "Data directory and releases": the updater writes to priv every day or so.
    if "tzdata" in held and not _configured(release, "tzdata", "data_dir|autoupdate"):
        yield (
            "tzdata keeps its time zones up to date in its own priv folder, where nobody can write "
            "in a container: set `config :tzdata, :autoupdate, :disabled` and build a new image "
            "now and then, or `config :tzdata, :data_dir, …` to a volume that holds a copy of its "
            "priv/release_ets"
        )
    # Its README: the updater is started by hand and writes to `data_dir`, priv by default.
    updates = "tz" in held and not _configured(release, "tz", "data_dir")
    if updates and _mentions(release, b"Elixir.Tz.UpdatePeriodically"):
        yield (
            "Tz.UpdatePeriodically writes into tz's own priv folder, where nobody can write in a "
            "container: do not start it and build a new image now and then, or set "
            "`config :tz, :data_dir, …` to a folder on a volume"
        )
    # lager.app.src: handlers write log/error.log and log/console.log, crash_log is log/crash.log.
    if "lager" in held and not _configured(release, "lager", "log_root"):
        yield (
            "lager writes log/*.log into the release, where nobody can write in a container: let "
            "it log to the console alone, {lager, [{handlers, [{lager_console_backend, "
            "[{level, info}]}]}, {crash_log, undefined}]}, or set {log_root, …} to a volume"
        )


def _ports(release: Release) -> Iterator[str]:
    for path, found in vm_args_of(release).items():
        for flag, values in found.flags:
            number = values[0] if values else ""
            if flag == "+Q" and number.isdecimal() and int(number) > MOST_PORTS:
                yield (
                    f"{path}: +Q {number} makes a table of that many ports at start, gigabytes of "
                    f"memory before the first connection: 1048576 (+Q 1048576) is plenty"
                )


def _shell(release: Release) -> Iterator[str]:
    if release.tool is Tool.DISTILLERY:
        yield (
            "the start scripts of Distillery need bash: take a base that has it, such as "
            "`base: debian:12-slim`. Images of Distillery's releases were never run by "
            "imagesmith's own tests: try yours"
        )


def _configured(release: Release, application: str, keys: str) -> bool:
    """Whether a configuration of the release speaks of one of the keys of the application.

    By its text: a runtime.exs is a program, and a sys.config.src is no term yet.
    """
    for name in CONFIGURATIONS:
        text = _text(release, f"{release.folder}/{name}")
        if re.search(rf"\b{application}\b", text) and re.search(rf"\b({keys})\b", text):
            return True
    return False


def _mentions(release: Release, atom: bytes) -> bool:
    """Whether a module of the team's own applications names this atom."""
    folders = {app.folder for app in release.applications if app.origin is Origin.OWN}
    for path in release.paths:
        if path.rpartition("/ebin/")[0] not in folders or not path.endswith(".beam"):
            continue
        try:
            found = chunks(release.tree.read(path))
        except ModuleError:
            continue  # layer/files.py says what is wrong with it
        if atom in found.get(b"AtU8", b"") or atom in _literals(found.get(b"LitT", b"")):
            return True
    return False


def _literals(chunk: bytes) -> bytes:
    """The literals of a module: 32 bits of size, then zlib; from OTP 28 on 0, then as they are."""
    if chunk[:4] == bytes(4):
        return chunk[4:]
    try:
        return zlib.decompressobj().decompress(chunk[4:], MAX_LITERAL_BYTES)
    except zlib.error:
        return b""


def _text(release: Release, path: str) -> str:
    if not isinstance(release.tree.entries.get(path), File):
        return ""
    return release.tree.read(path, SHOWN_BYTES).decode("utf-8", errors="replace")
