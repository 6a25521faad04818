"""How much memory and processor time containers use, read from Docker again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from docker.errors import DockerException
from requests.exceptions import RequestException

from imagesmith.compare.run import Use

if TYPE_CHECKING:
    from docker.client import DockerClient

__all__ = ["Meter", "metered"]

EVERY_SECONDS = 0.5
AT_ONCE = 8


class _Memory(TypedDict, total=False):
    usage: int
    stats: dict[str, int]


class _Total(TypedDict, total=False):
    total_usage: int


class _Processor(TypedDict, total=False):
    cpu_usage: _Total


class _Stats(TypedDict, total=False):
    memory_stats: _Memory
    cpu_stats: _Processor


@dataclass(slots=True)
class Meter:
    """What was used so far; `at` of each is CLOCK_MONOTONIC. `ids` says which containers count."""

    client: DockerClient
    ids: Callable[[], Sequence[str]]
    uses: list[Use] = field(default_factory=list)
    _spent: dict[str, int] = field(default_factory=dict)  # nanoseconds, by container
    _read_at: float = 0.0

    def read(self, pool: ThreadPoolExecutor) -> None:
        """Read all of them once, at the same time."""
        ids = self.ids()
        found = list(zip(ids, pool.map(self._stats, ids), strict=True))
        now = time.monotonic()
        memory = spent = there = 0
        for id_, stats in found:
            total = stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage")
            if total is None or not stats.get("memory_stats", {}).get("usage"):
                continue  # it has stopped meanwhile
            there += 1
            memory += _in_use(stats["memory_stats"])
            # A container that is new has spent all of it since the last time.
            spent += max(0, total - self._spent.get(id_, 0))
            self._spent[id_] = total
        if self._read_at:
            cores = spent / 1e9 / (now - self._read_at)
            self.uses.append(Use(now, memory, cores, there))
        self._read_at = now

    def _stats(self, id_: str) -> _Stats:
        try:
            found: _Stats = self.client.api.stats(id_, stream=False, one_shot=True)
        except (DockerException, RequestException, OSError):
            return {}  # it was removed meanwhile, or Docker is gone, which others will say
        return found


def _in_use(memory: _Memory) -> int:
    """As `docker stats` counts: without the page cache that can be given back at once (docker/cli,
    cli/command/container/stats_helpers.go: inactive_file of cgroup v2, total_inactive_file of v1).
    """
    stats = memory.get("stats", {})
    return memory["usage"] - stats.get("inactive_file", stats.get("total_inactive_file", 0))


@contextmanager
def metered(client: DockerClient, ids: Callable[[], Sequence[str]]) -> Iterator[Meter]:
    """Read twice a second, in a thread of its own, until the end. Raises then what ended it
    before: figures that were cut short are none."""
    meter = Meter(client, ids)
    ended = threading.Event()

    def read() -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while not ended.wait(EVERY_SECONDS):
                meter.read(pool)

    with ThreadPoolExecutor(1) as alone:
        reading = alone.submit(read)
        try:
            yield meter
        finally:
            ended.set()
    reading.result()
