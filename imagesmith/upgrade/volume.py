"""The upgrade volume of a container, by shell commands in it: read, bring files, history.

Everything runs as the container's own user, who owns the volume; no file is root's.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files

from imagesmith.docker.container import Answer, Container
from imagesmith.errors import UpgradeError
from imagesmith.upgrade.lines import Lines

__all__ = ["MEMORY", "Secrets", "Volume", "VolumeState", "now", "read_volume", "who"]

COPY_SECONDS = 1800.0
MEMORY = 96 << 20
"""Bytes that a short-lived VM takes beside the node, while configuration is resolved."""


@dataclass(frozen=True, slots=True)
class VolumeState:
    """What a pet's container and its volume say; sizes in bytes.

    `name`, `version`, `erts`, `digest` and `root` (where the volume is mounted) are the image's.
    `permanent` is the version confirmed last, `start` the one that the next start boots.
    `lock` is what its owner wrote, None if nobody holds it; `events` the bytes of the history.
    `releases` maps each version on the volume to its release digest, or "". `tmpfs` is a folder
    where a secret may lie for a while, or "". `limit` is the container's memory limit, or 0.
    """

    name: str
    version: str
    erts: str
    digest: str
    root: str
    belongs: bool
    permanent: str
    start: str
    lock: str | None
    mounted: bool
    writable: bool
    free: int
    size: int
    used: int
    tmpfs: str
    limit: int
    usage: int
    releases: Mapping[str, str]
    tool: str
    aside: tuple[str, ...]
    events: int

    @property
    def in_use(self) -> bool:
        """Whether the release runs from the volume, and upgrades can be brought."""
        return self.mounted and self.belongs and bool(self.start)

    def has_room(self, memory: int) -> bool:
        """Whether so many bytes more are below the container's limit, if it has one."""
        return not self.limit or self.limit - self.usage >= memory

    def digest_of(self, version: str) -> str:
        """The release digest of a version: from the volume, or the image's own."""
        return self.releases.get(version) or (self.digest if version == self.version else "")


def read_volume(lines: Lines) -> VolumeState:
    """Read it. Raises UpgradeError if the container is no pet's."""
    answer = lines.sh(files("imagesmith.upgrade").joinpath("read.sh").read_text(), "state")
    if answer.code != 0:
        raise UpgradeError(
            f"{lines.container.name}: this is no container of a pet image: it has no "
            "/app/pet/release",
            hint="`imagesmith build --mode pet` makes images whose containers can be upgraded; "
            f"Docker said: {answer.said.strip() or answer.text or 'nothing'}",
        )
    told = [line.partition("=") for line in answer.text.splitlines() if "=" in line]
    found = {key: value for key, _, value in told}
    start = found.get("start", "")
    return VolumeState(
        name=found.get("name", ""),
        version=found.get("version", ""),
        erts=found.get("erts", ""),
        digest=found.get("digest", ""),
        root=found.get("volume", ""),
        belongs=bool(found.get("digest")) and found.get("belongs") == found.get("digest"),
        permanent=found.get("permanent", ""),
        start=start,
        lock=found.get("owner", "") if "locked" in found else None,
        mounted="mounted" in found,
        writable="writable" in found,
        free=_number(found, "free") * 1024,
        size=_number(found, "size") * 1024,
        used=_number(found, "used") * 1024,
        tmpfs=found.get("tmpfs", ""),
        # cgroup v1 says "none" with a number near 2^63.
        limit=limit if (limit := _number(found, "limit")) < 1 << 60 else 0,
        usage=_number(found, "usage"),
        releases={
            key.removeprefix("release."): value
            for key, _, value in told
            if key.startswith("release.")
        },
        tool=found.get("tool", "relx"),
        aside=tuple(value for key, _, value in told if key == "aside"),
        events=_number(found, "events"),
    )


def _number(found: Mapping[str, str], key: str) -> int:
    text = found.get(key, "")
    return int(text) if text.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where resolved configurations lie while an upgrade runs: on tmpfs, read by one user."""

    folder: str

    def config(self, version: str) -> str:
        """The file of a version's."""
        return f"{self.folder}/{version}.config"


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume of a container that is a pet's, to be changed under its lock (lock.py)."""

    lines: Lines
    root: str
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def container(self) -> Container:
        """The container whose volume it is."""
        return self.lines.container

    @property
    def marks(self) -> str:
        """The folder of our own files."""
        return f"{self.root}/.imagesmith"

    def bring(self, tar: Iterator[bytes]) -> None:
        """Unpack a tar of what an upgrade brings beside the volume's own, then put it in place.

        Whatever cuts it short, what runs is untouched: the entrypoint clears the staging folder
        away, and a folder in place is whole. Raises UpgradeError.
        """
        new = f"{self.marks}/new-{self.run}"
        self.must(f"rm -rf {self.marks}/new-* && mkdir {new}", "cannot be written")
        done = self.container.run("tar", "-xf", "-", "-C", new, stdin=tar, seconds=COPY_SECONDS)
        if done.code != 0:
            self.sh(f"rm -rf {new}")
            raise UpgradeError(
                f"{self.container.name}: the files could not be written to {self.root}: "
                f"{_last(done.said)}; "
                "nothing was changed",
                hint="`imagesmith status` shows how full the volume is.",
            )
        self.must(
            # A start that came between has cleared it away.
            f"[ -d {new} ] && for folder in lib releases; do [ -d {new}/$folder ] || continue; "
            f"for found in {new}/$folder/*; do to={self.root}/$folder/${{found##*/}}; "
            'rm -rf "$to" && mv "$found" "$to" || exit 1; done; done; '
            f"rm -rf {new}; sync",
            "could not take the files in",
        )

    def discard(self) -> None:
        """Clear away what was staged."""
        self.sh(f"rm -rf {self.marks}/new-*")

    @contextmanager
    def secrets(self, tmpfs: str) -> Iterator[Secrets]:
        """A folder for resolved configurations, removed at the end. Raises UpgradeError."""
        folder = f"{tmpfs}/imagesmith-{self.run}"
        self.must(
            f"umask 077 && rm -rf {tmpfs}/imagesmith-* && mkdir {folder}",
            "has no tmpfs to write to",
        )
        try:
            yield Secrets(folder)
        finally:
            self.sh(f"rm -rf {folder}")

    def heal(self) -> None:
        """Put back the configuration that a run which was killed has left as a link."""
        self.sh(
            f'cd {self.root}/releases && for folder in */; do (cd "$folder" && {PUT_BACK}); done'
        )

    def link_config(self, version: str, secrets: Secrets) -> None:
        """Let release_handler find the resolved configuration where it looks for it.

        relx has a sys.config.src beside it, and none of its own.
        """
        self.must(
            f"cd {self.root}/releases/{version} && if [ -f sys.config ]; then "
            "cp -p sys.config .kept && mv -f .kept sys.config.pristine; fi && "
            f"ln -s {secrets.config(version)} .link && mv -f .link sys.config",
            "cannot be written",
        )

    def put_back(self, version: str) -> None:
        """The configuration as it was shipped, which every later start resolves anew."""
        self.sh(f"cd {self.root}/releases/{version} && {PUT_BACK}")

    def keep_releases(self) -> None:
        """Keep RELEASES as it is before release_handler writes it: see `take_away`."""
        self.must(
            f"cp -p {self.root}/releases/RELEASES {self.marks}/new-{self.run}", "cannot be written"
        )

    def take_away(self, version: str, libs: Sequence[str]) -> None:
        """Remove what was brought, and is not in use."""
        places = [f"releases/{version}", *(f"lib/{lib}" for lib in libs)]
        kept = f"{self.marks}/new-{self.run}"
        self.sh(
            f"cd {self.root} && rm -rf {' '.join(map(shlex.quote, places))}; "
            f"[ ! -f {kept} ] || mv -f {kept} releases/RELEASES; sync"
        )

    def record(self, action: str, before: str, after: str, result: str, detail: str) -> None:
        """Add a line to the history."""
        line = json.dumps(
            {
                "time": now(),
                "who": who(),
                "action": action,
                "from": before,
                "to": after,
                "result": result,
                "detail": detail,
            }
        )
        self.sh(f"printf '%s\\n' {shlex.quote(line)} >>{self.marks}/history && sync")

    def sh(self, script: str) -> Answer:
        """A line of shell in the container."""
        return self.lines.sh(script)

    def must(self, script: str, wrong: str) -> None:
        """The same, which has to succeed. Raises UpgradeError."""
        done = self.sh(script)
        if done.code != 0:
            raise UpgradeError(f"{self.container.name}: {self.root} {wrong}: {_last(done.said)}")


PUT_BACK = (
    "rm -f .link .kept; if [ -f sys.config.pristine ]; then mv -f sys.config.pristine sys.config; "
    "elif [ -L sys.config ]; then rm sys.config; fi"
)


def who() -> str:
    """Who upgrades, and from where, as the history has it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name (Python 3.13: OSError)
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def now() -> str:
    """The time, as the history has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
