"""The tags of images that a comparison loads: this process's own, so that two comparisons of one
application leave each other's alone, and the next one finds those of one that was killed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from imagesmith.compare.signals import undisturbed
from imagesmith.docker.images import tags_like, untag_image
from imagesmith.docker.process import Process

__all__ = ["namespace", "own_tags", "owner"]

PREFIX = "imagesmith-compare"


def namespace(process: Process) -> str:
    """What comes before the `/` in all tags of a process: of its host a hash, as not each host's
    name can be in a tag."""
    return f"{PREFIX}-{_host(process)}-{process.pid}-{process.started or 0}"


def owner(tag: str) -> Process | None:
    """The process of this machine that a tag is of; None for another machine's, or no such tag."""
    here = Process.this()
    found = re.match(rf"{PREFIX}-{_host(here)}-(\d+)-(\d+)/", tag)
    if found is None:
        return None
    return Process(here.host, int(found[1]), "" if found[2] == "0" else found[2])


@contextmanager
def own_tags() -> Iterator[str]:
    """What this process's tags have to begin with; they are removed at the end, as are those of
    the dead at once. Docker keeps what other images share with theirs."""
    for tag in tags_like(f"{PREFIX}-*/*"):
        process = owner(tag)
        if process is not None and not process.lives():
            untag_image(tag)
    own = namespace(Process.this())
    try:
        yield own
    finally:
        with undisturbed():
            for tag in tags_like(f"{own}/*"):
                untag_image(tag)


def _host(process: Process) -> str:
    return sha256(process.host.encode()).hexdigest()[:8]
