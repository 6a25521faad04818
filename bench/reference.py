"""A hot upgrade by hand, to compare with: a shell script outside of this repository.

`upgrade.sh V1 V2 WORK` copies the release V1 to WORK/run, starts it on port 4070, upgrades it to V2
and stops it. It was written for two applications; a copy of it is told of all of the shop's, and
stops where it is to be measured. A script that does not have what is replaced here is not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Reference", "UnknownReference", "running_reference"]

PORT = 4070
SECONDS = 180.0
RELEASE = "shop_web"
WAIT = 'while [ ! -e "$3/%s" ]; do sleep 0.05; done'
CHANGES = {
    "$V2/lib/core-0.2.0 $V2/lib/web-0.2.0": "$V2/lib/*-0.2.0",
    "$B/lib/core-0.2.0 $B/lib/web-0.2.0": "$B/lib/*-0.2.0",
    "cp $H/core.appup.example $B/lib/core-0.2.0/ebin/core.appup; "
    "cp $H/web.appup.example $B/lib/web-0.2.0/ebin/web.appup": (
        "for a in core catalog web worker; do cp $H/appups/$a.appup $B/lib/$a-0.2.0/ebin/; done"
    ),
    "daemon; sleep 1.5": f'daemon; sleep 1.5; : >"$3/started"; {WAIT % "go"}',
    "{:ok, _, _} = :release_handler.install_release(cv)": (
        "{us, {:ok, _, _}} = :timer.tc(:release_handler, :install_release, [cv]); "
        'IO.puts("install #{us}")'
    ),
    ', to_string(%Core.Item{sku: "ok"})': "",
    f"$D/bin/{RELEASE} stop": f': >"$3/done"; {WAIT % "end"}; $D/bin/{RELEASE} stop',
}


class UnknownReference(Exception):
    """The script is not the one that is known here."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The running script, which waits at its beginning; `line_port` is of this machine."""

    name: str
    work: Path
    line_port: int
    process: subprocess.Popen[bytes]
    port: int = PORT

    def rpc(self, elixir: str) -> str:
        done = subprocess.run(
            [self.work / "run/bin" / self.name, "rpc", elixir],
            env={**os.environ, "RELEASE_NODE": "shop_min"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=SECONDS,
        )
        return done.stdout

    def upgrade(self) -> float:
        """Let it go on; returns the seconds of install_release, once it is permanent."""
        (self.work / "go").touch()
        self.wait_for("done")
        found = re.search(r"^install (\d+)$", (self.work / "output").read_text(), re.MULTILINE)
        assert found, (self.work / "output").read_text()
        return int(found[1]) / 1e6

    def wait_for(self, mark: str) -> None:
        """Until the script has come to one of its stops."""
        deadline = time.monotonic() + SECONDS
        while not (self.work / mark).exists():
            late = time.monotonic() > deadline
            assert not late and self.process.poll() is None, (self.work / "output").read_text()
            time.sleep(0.05)


@contextmanager
def running_reference(
    script: Path, name: str, before: Path, after: Path, appups: Path, work: Path, line_port: int
) -> Iterator[Reference]:
    """The upgrade from one release to another, started, with its node up. Raises
    UnknownReference."""
    copy = work / "script"
    shutil.copytree(script, copy)
    shutil.copytree(appups, copy / "appups")
    (copy / "upgrade.sh").write_text(_adapted((copy / "upgrade.sh").read_text(), name))
    with (work / "output").open("w") as output:
        process = subprocess.Popen(
            ["sh", copy / "upgrade.sh", before, after, work],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LINE_PORT": str(line_port)},
        )
    reference = Reference(name, work, line_port, process)
    try:
        reference.wait_for("started")
        yield reference
    finally:
        (work / "go").touch()
        (work / "end").touch()
        try:
            process.wait(SECONDS)
        finally:
            process.kill()
            _stop(name, work)


def _stop(name: str, work: Path) -> None:
    """The node itself, where the script has not come to its end."""
    subprocess.run(
        [work / "run/bin" / name, "stop"],
        env={**os.environ, "RELEASE_NODE": "shop_min"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=SECONDS,
    )


def _adapted(text: str, name: str) -> str:
    for old, new in CHANGES.items():
        if old not in text:
            raise UnknownReference(f"its upgrade.sh has no `{old}`")
        text = text.replace(old, new)
    return text.replace(RELEASE, name)
