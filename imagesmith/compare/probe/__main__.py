"""`python -m imagesmith.compare.probe`: what it is told and tells, `process` says."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable

from imagesmith.compare.probe.limits import allow
from imagesmith.compare.probe.load import carry
from imagesmith.compare.probe.process import LIVE
from imagesmith.compare.probe.result import load_to_line
from imagesmith.compare.probe.spec import Spec
from imagesmith.errors import CompareError


def main() -> None:
    """One load, from the spec on stdin to the result on stdout."""
    spec = Spec.of_line(sys.stdin.buffer.readline())
    try:
        allow(spec.workload.connections)
        asyncio.run(_load(spec))
    except CompareError as error:
        _tell(b"failed " + json.dumps([error.message, error.hint]).encode())


async def _load(spec: Spec) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def told(missing: Callable[[], int]) -> None:
        """All but a question says stop, the end of stdin too: then the parent is gone."""
        if os.read(stdin, len(LIVE)) == LIVE:
            _tell(f"live {missing()}".encode())
            return
        loop.remove_reader(stdin)
        stop.set()

    def began(at: float, missing: Callable[[], int]) -> None:
        _began(at)
        loop.add_reader(stdin, told, missing)

    loop.add_reader(stdin, told, int)  # nobody asks before
    load = await carry(spec, began, stop)
    if load is not None:
        _tell(load_to_line(load))


def _began(at: float) -> None:
    # What is there now stays, and is not looked through again: a collection would be a pause.
    gc.collect()
    gc.freeze()
    _tell(f"began {at!r}".encode())


def _tell(line: bytes) -> None:
    try:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # nobody is there to be told


if __name__ == "__main__":
    main()
