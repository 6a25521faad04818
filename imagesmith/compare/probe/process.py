"""The parent's side of the probe."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import IO, Self

from imagesmith.compare.probe.result import load_of_line
from imagesmith.compare.probe.spec import Address, Spec
from imagesmith.compare.run import Load
from imagesmith.compare.workload import Workload
from imagesmith.errors import CompareError

__all__ = ["LIVE", "Probe"]

WITHIN = 30.0
"""Seconds in which all held connections have to be live, unless the caller says otherwise."""
LIVE = b"live?\n"
LOOK = 0.05
GRACE = 30.0
"""Seconds for the probe to do what takes none, before it is given up."""


class Probe:
    """A load that runs until `stop`; a context manager that leaves no process behind.

    The process is told its Spec in a line on stdin. It says `began TIME` when all connections are
    live, or `failed [MESSAGE, HINT]`. Asked `live?` from then on, it says `live MISSING`, how many
    connections are not; told anything else, or at the end of stdin, which comes by itself when this
    process dies, it says what it saw in a line, and ends.
    """

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], began: float) -> None:
        self.began = began
        """The time of `time.monotonic` from which the load's times count."""
        self._process = process
        self._said = said

    @classmethod
    def start(
        cls, workload: Workload, *, http: Address, hold: Address, within: float = WITHIN
    ) -> Self:
        """Returns when all connections are live, and the first request is due. CompareError where
        the application does not answer, a connection does not come up `within` these seconds, or
        the probe dies."""
        if importlib.util.find_spec("aiohttp") is None:
            raise CompareError(
                "the load probe needs aiohttp, which is not installed",
                hint="pip install 'imagesmith[compare]'",
            )
        said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        # In a process group of its own, Ctrl-C reaches this process alone, which then ends it.
        process = subprocess.Popen(
            (sys.executable, "-I", "-m", "imagesmith.compare.probe"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
            process_group=0,
        )
        probe = cls(process, said, 0.0)
        try:
            spec = Spec(workload=workload, http=http, hold=hold, within=within)
            probe.began = probe._begin(spec)
        except BaseException:
            probe.close()
            raise
        return probe

    def check(self) -> None:
        """CompareError if the probe is no more."""
        if self._process.poll() is not None:
            raise self._died()

    def all_live(self, within: float) -> bool:
        """Wait until all held connections are live, or for so many seconds; whether they are.
        CompareError if the probe is no more."""
        until = time.monotonic() + within
        while self._missing():
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK)
        return True

    def stop(self) -> Load:
        """End the load: what was seen, requests included that are answered only now."""
        self.check()
        try:
            told, _ = self._process.communicate(b"stop\n", timeout=GRACE)
        except subprocess.TimeoutExpired:
            raise CompareError(
                f"the load probe did not tell what it saw within {GRACE:.0f} s"
            ) from None
        except BrokenPipeError:
            self._process.wait()
            raise self._died() from None
        if self._process.returncode:
            raise self._died()
        return load_of_line(told)

    def close(self) -> None:
        """End the process if it still runs, and forget what it saw."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, spec: Spec) -> float:
        word, rest = self._ask(spec.to_line() + b"\n", spec.within + GRACE)
        if word == b"began":
            return float(rest)
        if word == b"failed":
            message, hint = json.loads(rest)
            raise CompareError(message, hint=hint)
        self._process.wait()
        raise self._died()

    def _missing(self) -> int:
        word, rest = self._ask(LIVE, GRACE)
        if word == b"live":
            return int(rest)
        self._process.wait()
        raise self._died()

    def _ask(self, line: bytes, within: float) -> tuple[bytes, bytes]:
        """The first word of its answer, and the rest; both empty if it died."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with suppress(BrokenPipeError):
            stdin.write(line)
        ready, _, _ = select.select([stdout], [], [], within)
        if not ready:
            raise CompareError(f"the load probe said nothing for {within:.0f} s")
        word, _, rest = stdout.readline().partition(b" ")
        return word, rest

    def _died(self) -> CompareError:
        """What to say of it, with its own last words."""
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 4096))
        words = self._said.read().decode(errors="replace").strip().splitlines()
        code = self._process.returncode
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return CompareError(
            f"the load probe ended too early, {how}" + (f": {words[-1]}" if words else "")
        )
