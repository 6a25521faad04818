"""BuildKit's log: what it resolved, and, when it failed, in whose words and what helps."""

from __future__ import annotations

import re
from collections import deque
from enum import Enum, auto

from imagesmith.docker.buildx import Build, Tell, run_build
from imagesmith.errors import DockerError

__all__ = ["HINTS", "Log", "Trouble", "run_logged", "trouble_of"]

KEPT_LINES = 4000
SHOWN_LINES = 20
_RESOLVED = re.compile(r"\bFROM (?P<name>\S+)@(?P<digest>sha256:[0-9a-f]{64})")
_FAILED = re.compile(r"#(?P<step>\d+) ERROR: ")
_STEP = re.compile(r"#(?P<step>\d+) (?:\d+\.\d+ )(?P<text>.*)")


class Trouble(Enum):
    """Why a build failed, where Docker's words tell."""

    SPACE = auto()
    STOPPED = auto()
    PLATFORM = auto()
    UNREACHABLE = auto()
    DENIED = auto()
    MISSING = auto()
    TARGET = auto()


# The first that is found counts: a registry out of reach can also be "not found".
_WORDS = (
    (Trouble.SPACE, r"no space left on device|disk quota exceeded"),
    (
        Trouble.STOPPED,
        r"cannot connect to the docker daemon|error reading from server|transport is closing"
        r"|code = unavailable|docker\.sock|unexpected eof|use of closed network connection"
        r"|failed to get status|context canceled|no such job|connection reset by peer",
    ),
    (Trouble.PLATFORM, r"no match for platform|does not (?:match|provide) the specified platform"),
    (
        Trouble.UNREACHABLE,
        r"no such host|connection refused|i/o timeout|network is unreachable|no route to host"
        r"|tls handshake|x509:|temporary failure in name resolution|server misbehaving",
    ),
    (Trouble.TARGET, r"target stage .* could not be found"),
    (Trouble.DENIED, r"unauthorized|authorization failed|access denied|denied:|403 forbidden"),
    (Trouble.MISSING, r"not found|does not exist|no such image|(?:manifest|name)[ _]unknown"),
)
HINTS = {
    Trouble.SPACE: "A disk is full. Docker's: `docker system df` shows what fills it, `docker "
    "builder prune` and `docker image prune` make room. This machine's: `df -h` shows it.",
    Trouble.STOPPED: "Docker went away in the middle of the build: `docker version` tells whether "
    "it answers again, its log (`journalctl -u docker`) why it stopped. Then build again.",
    Trouble.UNREACHABLE: "The registry cannot be reached: check the network and Docker's proxy "
    "settings, or use what is here already: `docker image ls`, or `base: oci:DIR`.",
    Trouble.DENIED: "Log in first (`docker login HOST`), or correct the name.",
    Trouble.MISSING: "Correct the name and the tag; `docker pull REF` should find it.",
}


def trouble_of(words: str) -> Trouble | None:
    """What Docker's words are about."""
    for trouble, pattern in _WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            return trouble
    return None


class Log:
    """The lines of a build, passed on as they come; the last of them are kept."""

    def __init__(self, tell: Tell | None = None) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._tell = tell

    def __call__(self, line: str) -> None:
        """Take a line."""
        self.lines.append(line)
        if self._tell:
            self._tell(line)

    def resolved(self, name: str) -> str | None:
        """The digest of the image that `FROM` stands for; `name` is its full name.

        None if BuildKit told no digest (the classic store's own images have none), or another
        name: it merges steps of builds at once that have the same layers, and tells one's name.
        """
        for line in reversed(self.lines):
            if (found := _RESOLVED.search(line)) and found["name"] == name:
                return str(found["digest"])
        return None

    def failed_step(self) -> list[str]:
        """The last lines that the failed step printed."""
        failed = [found["step"] for line in self.lines if (found := _FAILED.match(line))]
        if not failed:
            return []
        steps = filter(None, map(_STEP.fullmatch, self.lines))
        said = [found["text"] for found in steps if found["step"] == failed[-1]]
        return [line.rstrip() for line in said if line.strip()][-SHOWN_LINES:]


def run_logged(build: Build, tell: Tell | None) -> Log:
    """Run the build. Raises DockerError with the failed step's own last lines, and advice."""
    log = Log(tell)
    try:
        run_build(build, log)
    except DockerError as error:
        said = log.failed_step()
        trouble = trouble_of(error.message) or trouble_of("\n".join(said[-3:]))
        if trouble is Trouble.MISSING and said:
            trouble = None  # a program that the step calls, not an image
        hint = HINTS.get(trouble, error.hint) if trouble else error.hint
        if said and trouble is None:
            hint = "These are the step's own last words; `--progress plain` shows its whole log."
        message = "\n  ".join([error.message, *said])
        raise DockerError(message, hint=hint) from None
    return log
