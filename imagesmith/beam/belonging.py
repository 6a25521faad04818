"""What of a release's folder belongs to the release, and what only lies there.

`mix release --overwrite` leaves the applications of older versions behind; a release that was run
from its folder leaves logs, and its resolved configuration with the secrets of that machine.
Whatever else is there, `rel/overlays` put there, and it is shipped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["Belonging", "sort_out"]

LEFT_BY_RUNS = (
    *("tmp/*", "tmp", "var/*", ".erlang.cookie", "erl_crash.dump", "*/erl_crash.dump"),
    *("log/erlang.log.*", "log/run_erl.log", "log/sasl/*"),
)
"""RELEASE_TMP of mix, `var/` of Distillery, run_erl's logs (OTP: run_erl(1)), crash dumps."""


OTHER_VERSION = re.compile(
    r"lib/[^/]+-v?[0-9][^/]*(/|$) | lib/[^/]+/ebin(/|$) | releases/v?[0-9][^/]*/ | erts-[0-9]",
    re.VERBOSE,
)
"""An application, a version of the release or a runtime system, which is not the current one."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """The paths of a release, and those in its folder that a run of it has left."""

    paths: tuple[str, ...]
    left_by_runs: tuple[str, ...]


def sort_out(paths: Iterable[str], version: str, erts: str, folders: Collection[str]) -> Belonging:
    """Sort the paths of a release's folder.

    `version` and `erts` are the current ones, `folders` those of its applications.
    """
    current = {*folders, f"releases/{version}", f"erts-{erts}"}
    shipped: list[str] = []
    left: list[str] = []
    for path in paths:
        parts = path.split("/", 2)
        within = {parts[0], "/".join(parts[:2])}
        if OTHER_VERSION.match(path) and not within & current:
            continue
        in_lib = parts[0] == "lib"  # nearly all are, and no run leaves anything there
        run = not in_lib and any(fnmatchcase(path, pattern) for pattern in LEFT_BY_RUNS)
        (left if run else shipped).append(path)
    return Belonging(tuple(shipped), tuple(left))
