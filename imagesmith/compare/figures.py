"""Every figure that is read off a run, in the order of the table.

A `method` says how, what is left out, and which way an error would lean; `values` does it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from functools import partial

from imagesmith.compare.figure import Figure
from imagesmith.compare.measured import Measured, Unit, measured
from imagesmith.compare.run import Phase, Run
from imagesmith.compare.values import (
    back_cpu_seconds,
    back_state,
    containers_peak,
    cpu_before,
    cpu_peak,
    crash_seconds,
    crash_state,
    crash_version,
    dropped,
    failed,
    first_new,
    last_old,
    latency,
    longest,
    memory_before,
    memory_peak,
    mixed,
    of_phase,
    pause,
    seconds,
    state,
    storm_cpu,
    storm_memory,
    to_new,
    to_old,
    without,
)

__all__ = ["FIGURES", "read_figures"]

_P99_NEEDS = 100
_P999_NEEDS = 1000
"""Answered requests, of which then one is slower than the percentile."""


def read_figures(runs: Sequence[Run]) -> dict[str, Measured | None]:
    """Every figure of one scenario by its key, over all its runs."""
    return {figure.key: measured([figure.of(run) for run in runs]) for figure in FIGURES}


_HELD = (
    "Each client holds one connection and, when it loses it, connects again after 10, 50, 100, "
    "150, 200, 250, 500 ms, 1, 2 and then 5 s, as Phoenix's JavaScript client does; with the "
    "jitter that was asked for."
)
_FAILED = (
    "A request that failed has no answer: where some did, reports show how many instead, for who "
    "is turned away never waits."
)
_WINDOW = "from the first step of the change to the end of the quiet time after it"


def _connections() -> Iterator[Figure]:
    yield Figure(
        "without_median",
        "without a connection, median client",
        Unit.SECONDS,
        "Connections",
        f"The seconds that the median client had no live connection, {_WINDOW}. {_HELD} The waits "
        "count: a user waits for them too. A connection is live from the application's first "
        "answer on (a WebSocket from its 101 on), for a balancer accepts connections that no "
        "container will take, and one that does not answer for 5 s is over from when it was asked.",
        partial(without, to_new, statistics.median),
    )
    yield Figure(
        "without_worst",
        "without a connection, worst client",
        Unit.SECONDS,
        "Connections",
        "The same of the client that had none for longest in all.",
        partial(without, to_new, max),
    )
    yield Figure(
        "dropped",
        "connections dropped",
        Unit.COUNT,
        "Connections",
        f"How often a live connection ended that the client had not closed, {_WINDOW}; a client "
        "may lose several. An HTTP connection that is closed between two requests, or after "
        "`Connection: close`, is no drop unless the next connection fails too: HTTP provides for "
        "it, and drains with it. Where the balancer speaks HTTP, a client's connection outlives "
        "the container behind it, and truly nothing is dropped.",
        partial(dropped, to_new),
    )


def _requests() -> Iterator[Figure]:
    yield Figure(
        "failed",
        "requests failed",
        Unit.COUNT,
        "Requests",
        "Requests that were answered with a status other than 2xx or 3xx, not within 10 s, or not "
        f"at all, of those due {_WINDOW}. None is tried again, but for a GET on a kept connection "
        "that turns out to be closed, which HTTP clients send once more. None of a load that asks "
        "for nothing.",
        partial(failed, to_new),
    )
    times = {
        "before": (Phase.BEFORE, "before the change, while nothing is done"),
        "during": (Phase.CHANGE, "from the first step of the change to the last"),
        "after": (Phase.AFTER, "after the change, while nothing is done"),
    }
    for key, title, share, least in (
        ("p50", "median latency", 0.5, 1),
        ("p99", "p99 latency", 0.99, _P99_NEEDS),
        ("p999", "p99.9 latency", 0.999, _P999_NEEDS),
    ):
        needs = f" None of fewer than {least:,} answers." if least > 1 else ""
        for name, (phase, when) in times.items():
            yield Figure(
                f"{key}_{name}",
                f"{title} {name}",
                Unit.SECONDS,
                "Requests",
                f"Of the requests due {when}: {share:.1%} took no longer, from when they were due "
                "to their last byte. They are sent on a fixed schedule, whether or not the ones "
                "before were answered, so that a pause is in every request due in it; half of them "
                f"on new connections. Failed requests are not among them.{needs}",
                partial(latency, partial(of_phase, phase), share, least),
            )
    for name, (phase, when) in times.items():
        yield Figure(
            f"longest_{name}",
            f"longest request {name}",
            Unit.SECONDS,
            "Requests",
            f"The slowest answer to a request due {when}. It is one request: of several runs, look "
            f"at the spread. {_FAILED}",
            partial(longest, partial(of_phase, phase)),
        )


def _versions() -> Iterator[Figure]:
    yield Figure(
        "change_seconds",
        "the change took",
        Unit.SECONDS,
        "Versions",
        "From the first step of the change to the last, draining and stopping the old containers "
        "included. What a network would take to bring the new version to the hosts is not in "
        "it: that is told in bytes.",
        partial(seconds, Phase.CHANGE),
    )
    yield Figure(
        "first_new",
        "first answer of the new version",
        Unit.SECONDS,
        "Versions",
        "From the first step of the change. A version is what the application says in the answers; "
        "None where it says nothing, or the same.",
        first_new,
    )
    yield Figure(
        "last_old",
        "last answer of the old version",
        Unit.SECONDS,
        "Versions",
        "From the first step of the change; 0 where the old version answered no more.",
        last_old,
    )
    yield Figure(
        "mixed",
        "both versions answered for",
        Unit.SECONDS,
        "Versions",
        "From the first answer of the new version to the last of the old, 0 where that came "
        "before. For as long the two have to get on with each other: with one database, and with "
        "clients that meet first one and then the other.",
        mixed,
    )


def _states() -> Iterator[Figure]:
    yield Figure(
        "state",
        "state in memory",
        Unit.WORD,
        "State",
        "Lost, if after the change, or during it from the new version or a container that had not "
        "answered before, any container told a state smaller than the smallest that a container "
        "told last before the change; else kept. The "
        "state is a number in the answers that only grows while the application keeps it. None "
        "where none is told, or where it had not grown from 0. An application that keeps its state "
        "elsewhere loses nothing that matters, and had better not be asked for one.",
        state,
    )


def _machine() -> Iterator[Figure]:
    all_containers = "All containers of the application together, the balancer not among them"
    yield Figure(
        "memory_before",
        "memory before",
        Unit.BYTES,
        "Machine",
        f"{all_containers}: the median before the change, without the page cache that can be "
        "given back at once, as `docker stats` counts.",
        memory_before,
    )
    yield Figure(
        "memory_peak",
        "memory, peak",
        Unit.BYTES,
        "Machine",
        f"{all_containers}: the most {_WINDOW}. A peak between two readings is not seen.",
        memory_peak,
    )
    yield Figure(
        "cpu_before",
        "CPU before",
        Unit.CORES,
        "Machine",
        f"{all_containers}: the mean before the change, under the load.",
        cpu_before,
    )
    yield Figure(
        "cpu_peak",
        "CPU, peak",
        Unit.CORES,
        "Machine",
        f"{all_containers}: the most {_WINDOW}, each reading the mean since the one before. Starts "
        "of the Erlang VM are in it, and end at the limit that the containers were given.",
        cpu_peak,
    )
    yield Figure(
        "containers_peak",
        "containers, most at once",
        Unit.COUNT,
        "Machine",
        f"How many containers of the application ran at one time, {_WINDOW}: what the hosts must "
        "have room for.",
        containers_peak,
    )
    storm_says = (
        "within 5 s after the first connection was dropped, while all clients connect again; None "
        "where none was. On this machine the clients and the application share the processors."
    )
    yield Figure(
        "storm_cpu",
        "CPU in the reconnect storm",
        Unit.CORES,
        "Machine",
        f"{all_containers}: the most {storm_says}",
        storm_cpu,
    )
    yield Figure(
        "storm_memory",
        "memory in the reconnect storm",
        Unit.BYTES,
        "Machine",
        f"{all_containers}: the most {storm_says}",
        storm_memory,
    )


def _rollback() -> Iterator[Figure]:
    back = "from the first step of the way back to the end of the quiet time after it"
    yield Figure(
        "back_seconds",
        "the way back took",
        Unit.SECONDS,
        "Rollback",
        "From the first step back to the old version to the last. The old image is still on the "
        "host, as it is after a failed deploy.",
        partial(seconds, Phase.BACK),
    )
    yield Figure(
        "back_without_worst",
        "without a connection, worst client",
        Unit.SECONDS,
        "Rollback",
        f"The seconds that the client had no live connection that had none for longest, {back}.",
        partial(without, to_old, max),
    )
    yield Figure(
        "back_dropped",
        "connections dropped",
        Unit.COUNT,
        "Rollback",
        f"How often a live connection ended that the client had not closed, {back}.",
        partial(dropped, to_old),
    )
    yield Figure(
        "back_failed",
        "requests failed",
        Unit.COUNT,
        "Rollback",
        f"Requests that were not answered with 2xx or 3xx within 10 s, of those due {back}.",
        partial(failed, to_old),
    )
    yield Figure(
        "back_longest",
        "longest request",
        Unit.SECONDS,
        "Rollback",
        f"The slowest answer to a request due {back}. {_FAILED}",
        partial(longest, to_old),
    )
    yield Figure(
        "back_state",
        "state in memory",
        Unit.WORD,
        "Rollback",
        "Kept or lost on the way back, by the same rule as on the way there. Before it every "
        "container was killed once, so that the state is what has grown since all were ready "
        "again: the last of it that was told before the way back, against what is told after it, "
        "or during it by the old version or a new container.",
        back_state,
    )
    yield Figure(
        "back_cpu_seconds",
        "processor time",
        Unit.SECONDS,
        "Rollback",
        "What all containers together took from the first step back to the last: the sum of the "
        "readings, each for as long as it stands for. The load that goes on meanwhile is in it, so "
        "that a longer way back costs more by that alone.",
        back_cpu_seconds,
    )


def _crash() -> Iterator[Figure]:
    yield Figure(
        "crash_version",
        "version after a crash",
        Unit.WORD,
        "Crash",
        "Every container is killed (SIGKILL) right after a change to the new version, and started "
        "again: the version that then answers. A hot upgrade that was not made permanent comes up "
        "as the old one.",
        crash_version,
    )
    yield Figure(
        "crash_seconds",
        "back after a crash",
        Unit.SECONDS,
        "Crash",
        "From the first kill to the first answer of a container to a request that was due when all "
        "were dead.",
        crash_seconds,
    )
    yield Figure(
        "crash_state",
        "state after a crash",
        Unit.WORD,
        "Crash",
        "Whether the state in memory was still there. Neither life keeps memory through a kill: "
        "what reads kept here is stored elsewhere.",
        crash_state,
    )


def _pauses() -> Iterator[Figure]:
    yield Figure(
        "pause",
        "processes suspended for",
        Unit.SECONDS,
        "Pause",
        "The longest that a hot upgrade suspended processes in one container, as its own node "
        "measured it. Other scenarios have none; what they do instead is in the connections and in "
        "the latency.",
        pause,
    )


FIGURES: tuple[Figure, ...] = (
    *_connections(),
    *_requests(),
    *_versions(),
    *_states(),
    *_machine(),
    *_rollback(),
    *_crash(),
    *_pauses(),
)
